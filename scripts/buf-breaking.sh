#!/bin/sh
# Compares the contracts with an image: the newest of contracts/releases/*.binpb, or the one that is given.
#   sh scripts/buf-breaking.sh [IMAGE [CONTRACTS]]
# Before the first release there is nothing to compare with: that is said, and is no failure.
set -eu
start=$PWD
cd -- "$(dirname -- "$0")/.."
PATH=$PWD/node_modules/.bin:$PATH

# Names are vMAJOR.MINOR.PATCH.binpb; the newest is the greatest version, not the last name.
newest() {
  for file in contracts/releases/v*.binpb; do [ -e "$file" ] && echo "$file"; done |
    sed 's|.*/v\(.*\)\.binpb$|\1 &|' | sort -t. -k1,1n -k2,2n -k3,3n | tail -n 1 | cut -d' ' -f2
}

image=${1:-$(newest)}
if [ -z "$image" ]; then
  echo "contracts/releases holds no image yet: nothing to compare with (make release writes the first one)"
  exit 0
fi
case $image in /*) ;; *) [ -e "$image" ] || image=$start/$image ;; esac
cd -- "${2:-.}"
if buf breaking contracts --against "$image"; then
  echo "no break against ${image##*/}"
else
  echo "the contracts break clients of ${image##*/}; before 1.0 a break needs a \`Breaking\` entry in CHANGELOG.md" >&2
  exit 1
fi
