#!/bin/sh
# Prints the section of CHANGELOG.md about a version: `release-notes.sh v1.0.0`.
set -eu
version=${1#v}
notes=$(awk -v head="## [$version]" 'index($0, "## [") == 1 { inside = index($0, head) == 1; next } inside' \
  "$(dirname -- "$0")/../CHANGELOG.md")
[ -n "$notes" ] || { echo "CHANGELOG.md has no section [$version]" >&2; exit 1; }
printf '%s\n' "$notes"
