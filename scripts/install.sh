#!/bin/sh
# Installs what the lockfile names, without install scripts, unless it is there. A stamp makes the second call free;
# several at once wait for the first.
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
  # Somebody else's process cannot be signalled, and not every machine has ps.
  is_alive() { kill -0 "$1" 2>/dev/null || [ -d "/proc/$1" ] || ps -p "$1" >/dev/null 2>&1; }
  waited=0
  failed=0
  until problem=$(mkdir "$lock" 2>&1); do
    if [ ! -d "$lock" ]; then
      # Given back just now, or it can never be made: a few tries tell.
      failed=$((failed + 1))
      if [ "$failed" -ge 3 ]; then
        echo "Dependencies cannot be installed here: $problem" >&2
        exit 1
      fi
      continue
    fi
    # A holder that was killed leaves its folder: its pid says so, and that it never wrote one.
    holder=$(cat "$lock/pid" 2>/dev/null || true)
    if [ -n "$holder" ] && ! is_alive "$holder" || { [ -z "$holder" ] && [ "$waited" -ge 10 ]; }; then
      rm -rf "$lock"
      continue
    fi
    [ "$waited" -ne 1 ] || echo "Waiting for process ${holder:-(unknown)}, which installs the dependencies ($PWD/$lock)" >&2
    waited=$((waited + 1))
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
