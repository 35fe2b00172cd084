#!/bin/sh
# Generates everything that follows from the contracts: the code the service imports, the clients, openapi.yaml,
# gen/DIGEST.
#   sh scripts/generate.sh [--check] [--clean] [--require-all] [server|typescript|go|python|openapi ...]
# Parts whose tools are missing (Go, Python) are skipped and named; with --require-all, or in CI, that is a failure.
set -eu
cd "$(dirname -- "$0")/.."
exec sh scripts/with-node.sh node scripts/generate.ts "$@"
