#!/bin/sh
# Prepares a release of the version in package.json: checks everything, keeps the image of the contracts that later
# versions are compared with, builds the npm package. Nothing is published or tagged here.
set -eu
version=$(node -p 'require("./package.json").version')
grep -q "^## \[$version\]" CHANGELOG.md || {
  echo "CHANGELOG.md has no section [$version]: rename [Unreleased] and begin a new one" >&2
  exit 1
}
sh scripts/check.sh
sh scripts/buf-breaking.sh
sh scripts/test.sh
sh scripts/buf-image.sh "$version"
# From now on, upgrades are tested from this release.
git rev-parse HEAD > test/crash/upgrade/old-release.txt
npm pack
echo "Commit contracts/releases and test/crash/upgrade, tag v$version, publish the package."
