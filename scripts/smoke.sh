#!/bin/sh
# Starts the service of this checkout (PORT, default 8002), runs one flow to its end, and stops the service. With
# DATABASE_URL on that database, else on an embedded one in a folder of its own.
set -eu
cd -- "$(dirname -- "$0")/.."
port=${PORT:-8002}
folder=$(mktemp -d)
pid=
trap '[ -z "$pid" ] || kill -9 "$pid" 2>/dev/null || true; rm -rf "$folder"' EXIT
sh scripts/install.sh

ORCHESTRATOR_DATA_DIR="$folder/data" PORT="$port" ./orchestrator serve >"$folder/log" 2>&1 &
pid=$!
tries=0
until curl -fs "http://127.0.0.1:$port/readyz" >/dev/null; do
  tries=$((tries + 1))
  kill -0 "$pid" 2>/dev/null && [ "$tries" -lt 120 ] || { cat "$folder/log"; echo "smoke: the service does not start" >&2; exit 1; }
  sleep 1
done
./orchestrator flows init "$folder/hello.yaml" >/dev/null
./orchestrator run "$folder/hello.yaml" --input who=smoke --watch --server "127.0.0.1:$port"
kill -TERM "$pid"
status=0
wait "$pid" || status=$?
pid=
[ "$status" -eq 0 ] || { cat "$folder/log"; echo "smoke: the stop ended with $status" >&2; exit 1; }
echo "smoke: passed"
