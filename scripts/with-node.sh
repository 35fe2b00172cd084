#!/bin/sh
# Runs a command with the project's Node and tools first on PATH, from the top of the checkout, everything installed.
set -eu
cd -- "$(dirname -- "$0")/.."
sh scripts/install.sh
PATH=$(dirname "$(sh scripts/node.sh)"):$PWD/node_modules/.bin:$PATH
export PATH
exec "$@"
