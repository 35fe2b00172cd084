#!/bin/sh
# What CI runs first: formatting and lint, types, boot without compilation, unit tests and house rules (these prove
# generated files fresh).
#   --static   without the tests
set -eu
step() { printf '%s\n' "check: $*" >&2; "$@"; }
# Biome colours its diffs for machines too.
colors=$([ -t 1 ] && echo force || echo off)
step biome format --colors="$colors" --reporter=summary
step biome lint --colors="$colors" --error-on-warnings --max-diagnostics=50
step tsc --noEmit
# The peers of the benchmark are installed by `make bench` only.
[ ! -e bench/peers/node_modules/.bench-install ] || step tsc --noEmit -p bench/peers
# vitest compiles what Node itself would refuse; only Node shows that the sources run as they are.
step node src/main.ts --version
# Brings the tools of every language, which tests of the contracts use as well.
step sh scripts/generate.sh --check
[ "${1:-}" = --static ] || step vitest run --project unit --project house --project contract
