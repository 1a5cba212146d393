#!/bin/sh
# Installs the stores the suites of `MONGO_URL` and `REDIS_URL` run against. Does nothing for a part that is there and up to date.
#
#   Redis          redis-server, from the distribution
#   FerretDB 1.24  MongoDB's wire protocol on SQLite, a Go module (pinned in ferretdb/go.mod and go.sum): .peers/ferretdb/
#
# Needs Debian with root (or sudo) for what apt has to add, and Go 1.24 or later; everything else is written to .peers/.
set -eu

here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
source=$(CDPATH= cd -- "$here/../ferretdb" && pwd)
peers=${PEERS_DIR:-$(CDPATH= cd -- "$here/../../../.." && pwd)/.peers}

say() { echo "stores: $*"; }

as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

install_redis() {
  if command -v redis-server >/dev/null 2>&1; then
    say "redis-server is installed"
    return
  fi
  say "installing redis-server"
  as_root env DEBIAN_FRONTEND=noninteractive apt-get update -qq
  # The suites start their own: the service of the distribution is not wanted.
  as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y -qq --no-install-recommends redis-server >/dev/null
}

# The stamp is written last: a build that was cut off is done again.
build_ferretdb() {
  if ! command -v go >/dev/null 2>&1; then
    say "FerretDB needs Go 1.24 or later, which is not installed: left out"
    return
  fi
  target=$peers/ferretdb
  wanted=$(cat "$source/go.mod" "$source/go.sum" "$source/main.go" | sha256sum | cut -d' ' -f1)
  if [ -f "$target/stamp" ] && [ "$(cat "$target/stamp")" = "$wanted" ]; then
    say "ferretdb is up to date"
    return
  fi
  say "building ferretdb"
  rm -rf "$target"
  mkdir -p "$target"
  if ! (cd "$source" && go build -o "$target/ferretdb" .) >"$target/go.log" 2>&1; then
    cat "$target/go.log" >&2
    exit 1
  fi
  echo "$wanted" >"$target/stamp"
}

install_redis
build_ferretdb
say "ready in $peers"
