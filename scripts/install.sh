#!/bin/sh
# Installs what the lockfile names, without install scripts, unless it is there. A stamp makes the second call free; several at once wait for the first.
set -eu
cd -- "$(dirname -- "$0")/.."
stamp=node_modules/.orchestrator-install
state="$(cksum <package-lock.json) $(uname -sm)"
[ -f "$stamp" ] && [ "$(cat "$stamp")" = "$state" ] && exit 0

node=$(sh scripts/node.sh)
PATH=$(dirname "$node"):$PATH
if ! "$node" scripts/check-install.mjs; then
  lock=.node/install.lock
  mkdir -p .node
  until mkdir "$lock" 2>/dev/null; do
    # A holder that was killed leaves its folder: its pid says so.
    holder=$(cat "$lock/pid" 2>/dev/null || true)
    if [ -n "$holder" ] && ! kill -0 "$holder" 2>/dev/null; then rm -rf "$lock"; continue; fi
    sleep 1
  done
  echo $$ >"$lock/pid"
  trap 'rm -rf "$lock"' EXIT
  if ! "$node" scripts/check-install.mjs; then
    command -v npm >/dev/null || { echo "npm is missing: install it (Debian: apt-get install npm) and try again." >&2; exit 1; }
    echo "Installing dependencies (once for each change of package-lock.json)" >&2
    npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2
  fi
fi
# A checkout that belongs to somebody else cannot take the stamp; it only saves the next comparison.
echo "$state" 2>/dev/null >"$stamp" || true
