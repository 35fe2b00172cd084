#!/bin/sh
# Writes the image of the contracts of a release, which buf-breaking.sh compares with. An image that exists is never
# overwritten.
#   sh scripts/buf-image.sh VERSION
set -eu
cd -- "$(dirname -- "$0")/.."
PATH=$PWD/node_modules/.bin:$PATH
version=${1:?VERSION is missing, for instance 0.1.0}
echo "$version" | grep -Eq '^[0-9]+\.[0-9]+\.[0-9]+$' || { echo "$version is not MAJOR.MINOR.PATCH" >&2; exit 1; }
image=contracts/releases/v$version.binpb
if [ -e "$image" ]; then echo "$image exists; a release never changes" >&2; exit 1; fi
mkdir -p contracts/releases
# Without source info the image holds no comments and stays small; comments never break a client.
buf build contracts --exclude-source-info -o "$image"
echo "wrote $image"
