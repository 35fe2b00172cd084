#!/bin/sh
# Compiles src to dist for the npm package (Node strips no types below node_modules) and copies what is not TypeScript.
set -eu
cd -- "$(dirname -- "$0")/.."
rm -rf dist
tsc -p tsconfig.build.json
(cd src && find . -type f ! -name '*.ts' ! -path './console/*') | while read -r file; do
  mkdir -p "dist/$(dirname "$file")"
  cp "src/$file" "dist/$file"
done
# The package's command; a checkout starts main.ts through ./orchestrator instead.
{ echo '#!/usr/bin/env node'; cat dist/main.js; } >dist/main.tmp
mv dist/main.tmp dist/main.js
chmod +x dist/main.js
