#!/bin/sh
# Installs the DTLS stacks the interop suites run against. Does nothing for a part that is there and up to date.
#
#   OpenSSL, GnuTLS, libcoap   from the distribution; tshark too, which reads what we send
#   Mbed TLS 3.6               source package of Debian trixie, built with connection ids: .peers/mbedtls/
#   pion/dtls                  Go module (pinned in pion/go.mod and go.sum): .peers/pion/
#   Scandium                   fetched by Maven (pinned in scandium/pom.xml): .peers/scandium/
#   tinydtls                   under aiocoap (pinned in requirements.txt) in a virtual environment: .peers/tinydtls/
#   node-dtls-client           npm (pinned in node-dtls-client/package-lock.json): .peers/node-dtls-client/
#
# Needs Debian with root (or sudo) for what apt has to add, and Go 1.24 or later; everything else is written to .peers/.
set -eu

here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
peers=${PEERS_DIR:-$(CDPATH= cd -- "$here/../../../.." && pwd)/.peers}

say() { echo "dtls peers: $*"; }

as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

install_packages() {
  missing=""
  need() { command -v "$1" >/dev/null 2>&1 || missing="$missing $2"; }
  need openssl openssl
  need gnutls-cli gnutls-bin
  need coap-client-openssl libcoap3-bin
  need tshark tshark
  need gcc gcc
  need make make
  need bzip2 bzip2
  need autoconf autoconf
  need automake automake
  need libtoolize libtool
  need javac default-jdk-headless
  need mvn maven
  python3 -c 'import ensurepip, venv' >/dev/null 2>&1 || missing="$missing python3-venv"
  if [ -z "$missing" ]; then
    say "distribution packages are installed"
    return
  fi
  say "installing$missing"
  as_root env DEBIAN_FRONTEND=noninteractive apt-get update -qq
  # shellcheck disable=SC2086  # a list of package names
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
}

# wanted NAME FILES...: true when .peers/NAME is of these files; the stamp is written last, so a build that was cut off is done again.
is_current() {
  name=$1
  shift
  stamp=$(cat "$@" "$here/install.sh" | sha256sum | cut -d' ' -f1)
  target=$peers/$name
  if [ -f "$target/stamp" ] && [ "$(cat "$target/stamp")" = "$stamp" ]; then
    say "$name is up to date"
    return 0
  fi
  say "building $name"
  rm -rf "$target"
  mkdir -p "$target"
  return 1
}

# quietly LOG COMMAND...: the output is shown only when it fails.
quietly() {
  log=$1
  shift
  if ! "$@" >"$log" 2>&1; then
    cat "$log" >&2
    exit 1
  fi
}

build_mbedtls() {
  if is_current mbedtls "$here/install.sh"; then return; fi
  source=$target/source
  mkdir -p "$source/lists" "$source/cache"
  echo "deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian trixie main" >"$source/sources.list"
  (
    cd "$source"
    # An apt of its own, so that the sources of the machine stay as they are.
    apt_here() {
      apt-get -o Dir::Etc::SourceList="$source/sources.list" -o Dir::Etc::SourceParts=/dev/null \
        -o Dir::State::Lists="$source/lists" -o Dir::Cache="$source/cache" -o APT::Sandbox::User=root "$@"
    }
    quietly apt.log apt_here update -qq
    quietly apt.log apt_here source -qq --download-only mbedtls
    tar xjf mbedtls_3.6.*.orig.tar.bz2
    cd mbedtls-3.6.*/
    python3 scripts/config.py set MBEDTLS_SSL_DTLS_CONNECTION_ID
    quietly ../make.log make -j2 no_test
    cp programs/ssl/ssl_client2 programs/ssl/ssl_server2 programs/test/udp_proxy "$target/"
  )
  rm -rf "$source"
  echo "$stamp" >"$target/stamp"
}

build_pion() {
  if ! command -v go >/dev/null 2>&1; then
    say "pion needs Go 1.24 or later, which is not installed: left out"
    return
  fi
  if is_current pion "$here"/pion/go.mod "$here"/pion/go.sum "$here"/pion/main.go; then return; fi
  (cd "$here/pion" && quietly "$target/go.log" go build -o "$target/pion-peer" .)
  echo "$stamp" >"$target/stamp"
}

build_scandium() {
  if is_current scandium "$here"/scandium/pom.xml "$here"/scandium/*.java; then return; fi
  quietly "$target/maven.log" mvn -B -q -f "$here/scandium/pom.xml" dependency:copy-dependencies -DincludeScope=runtime \
    -DoutputDirectory="$target/lib"
  javac --release 17 -cp "$target/lib/*" -d "$target/classes" "$here"/scandium/*.java
  echo "$stamp" >"$target/stamp"
}

build_tinydtls() {
  if is_current tinydtls "$here/requirements.txt"; then return; fi
  quietly "$target/venv.log" python3 -m venv "$target"
  quietly "$target/pip.log" "$target/bin/pip" install --quiet --disable-pip-version-check --no-deps -r "$here/requirements.txt"
  echo "$stamp" >"$target/stamp"
}

build_node_dtls_client() {
  if is_current node-dtls-client "$here"/node-dtls-client/package.json "$here"/node-dtls-client/package-lock.json; then return; fi
  cp "$here"/node-dtls-client/package.json "$here"/node-dtls-client/package-lock.json "$target/"
  # Its native part is for versions of Node without CCM.
  quietly "$target/npm.log" npm install --no-save --omit=optional --no-audit --no-fund --prefix "$target"
  echo "$stamp" >"$target/stamp"
}

install_packages
mkdir -p "$peers"
build_mbedtls
build_pion
build_scandium
build_tinydtls
build_node_dtls_client
say "ready in $peers"
