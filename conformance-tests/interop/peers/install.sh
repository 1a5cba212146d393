#!/bin/sh
# Installs the independent parts the interop suites run against. Does nothing for a part that is there and up to date.
#
#   libcoap        coap-client-notls, from the distribution
#   Python peers   aiocoap and cbor2 (versions pinned in python/requirements.txt) in a virtual environment, .peers/python/
#   DTLS stacks    by dtls/install.sh
#   stores         FerretDB and Redis, by stores/install.sh
#   Leshan peers   fetched by Maven (versions pinned in each pom.xml), compiled with javac into .peers/<name>/
#
# Needs Debian with root (or sudo) for what apt has to add; everything else is written to .peers/ at the repository root.
set -eu

here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
peers=${PEERS_DIR:-$(CDPATH= cd -- "$here/../../.." && pwd)/.peers}

say() { echo "peers: $*"; }

as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

install_packages() {
  missing=""
  command -v coap-client-notls >/dev/null 2>&1 || missing="$missing libcoap3-bin"
  command -v curl >/dev/null 2>&1 || missing="$missing curl"
  command -v javac >/dev/null 2>&1 || missing="$missing default-jdk-headless"
  python3 -c 'import ensurepip, venv' >/dev/null 2>&1 || missing="$missing python3-venv"
  command -v mvn >/dev/null 2>&1 || missing="$missing maven"
  if [ -z "$missing" ]; then
    say "distribution packages are installed"
    return
  fi
  say "installing$missing"
  as_root env DEBIAN_FRONTEND=noninteractive apt-get update -qq
  # shellcheck disable=SC2086  # a list of package names
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
}

# The stamp is written last: a build that was cut off is done again.
build_peer() {
  name=$1
  target=$peers/$name
  wanted=$(cat "$here/$name/pom.xml" "$here/$name"/*.java "$here/install.sh" | sha256sum | cut -d' ' -f1)
  if [ -f "$target/stamp" ] && [ "$(cat "$target/stamp")" = "$wanted" ]; then
    say "$name is up to date"
    return
  fi
  say "building $name"
  rm -rf "$target"
  mkdir -p "$target/classes"
  if ! mvn -B -q -f "$here/$name/pom.xml" dependency:copy-dependencies -DincludeScope=runtime \
    -DoutputDirectory="$target/lib" >"$target/maven.log" 2>&1; then
    cat "$target/maven.log" >&2
    exit 1
  fi
  javac --release 17 -cp "$target/lib/*" -d "$target/classes" "$here/$name"/*.java
  echo "$wanted" >"$target/stamp"
}

# The programs themselves run from the source tree; only what they import is installed.
build_python() {
  target=$peers/python
  wanted=$(cat "$here/python/requirements.txt" "$here/install.sh" | sha256sum | cut -d' ' -f1)
  if [ -f "$target/stamp" ] && [ "$(cat "$target/stamp")" = "$wanted" ] && "$target/bin/python" -c 'import aiocoap, cbor2' 2>/dev/null; then
    say "python is up to date"
    return
  fi
  say "building python"
  rm -rf "$target"
  mkdir -p "$peers"
  python3 -m venv "$target"
  if ! "$target/bin/pip" install --quiet --disable-pip-version-check --no-deps -r "$here/python/requirements.txt" >"$target/pip.log" 2>&1; then
    cat "$target/pip.log" >&2
    exit 1
  fi
  echo "$wanted" >"$target/stamp"
}

install_packages
build_python
for name in leshan-1 leshan-2 leshan-server; do
  build_peer "$name"
done
sh "$here/dtls/install.sh"
sh "$here/stores/install.sh"
say "ready in $peers"
