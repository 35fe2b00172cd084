#!/bin/sh
# Measures the objectives and writes the figures into observability/SLO.md: load on two instances of the service, of
# which one freezes half way, seen by a real Prometheus. Needs what the tests of observability/ need.
#   measure-objectives.sh [SECONDS]   how long the load lasts; default 300
set -eu
cd -- "$(dirname -- "$0")/.."
MEASURE_SECONDS=${1:-300}
export MEASURE_SECONDS
exec sh scripts/with-node.sh vitest run --project observability test/observability/objectives
