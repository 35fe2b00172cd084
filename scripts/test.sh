#!/bin/sh
# All tests; with PostgreSQL 15 on the machine those of the store once more on it. What is missing here is skipped and
# named, in CI it is an error.
set -eu
mkdir -p .test
rm -f .test/*.json
status=0
vitest run --reporter=default --reporter=json --outputFile.json=.test/all.json "$@" || status=$?
if [ $# -eq 0 ]; then
  if [ -x /usr/lib/postgresql/15/bin/postgres ]; then
    echo "The store once more, on PostgreSQL 15"
    ORCHESTRATOR_TEST_POSTGRES15=1 vitest run --project integration --reporter=default --reporter=json --outputFile.json=.test/postgres15.json \
      test/integration/store || status=$?
  elif [ "${CI:-}" = true ]; then
    echo "PostgreSQL 15 is missing: run scripts/ci-services.sh install" >&2
    exit 1
  else
    echo "skipped: the store on PostgreSQL 15 (Debian: apt-get install postgresql-15)"
  fi
fi
node scripts/summarize-tests.ts .test/*.json || status=$?
exit "$status"
