#!/bin/sh
# Makes the bases of the image where no registry can be reached (Debian, root; mmdebstrap and buildah):
#   localhost/orchestrator-base     Debian 12 with a shell, certificates, and libstdc++, as debian:bookworm-slim has them
#   localhost/orchestrator-builder  the same with the project's Node, and the npm of this machine
# They are made once; `--force` makes them again. `sh deploy/image/build.sh` takes them when BASE and BUILDER name them.
set -eu
cd -- "$(dirname -- "$0")/../.."
base=localhost/orchestrator-base:bookworm
builder=localhost/orchestrator-builder:bookworm
[ "${1:-}" = --force ] || ! buildah inspect --type image "$builder" >/dev/null 2>&1 || exit 0

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# What slim images of Debian leave out, too.
mmdebstrap --quiet --variant=essential --include=ca-certificates,libstdc++6 --dpkgopt=force-unsafe-io \
  --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
  --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
  --dpkgopt='path-exclude=/usr/share/info/*' bookworm "$work/base.tar"
build() { buildah bud --isolation chroot --pull-never --quiet --tag "$1" "$work" >/dev/null; }

printf 'FROM scratch\nADD base.tar /\nCMD ["/bin/sh"]\n' >"$work/Dockerfile"
build "$base"
rm "$work/base.tar"

mkdir -p "$work/bin" "$work/lib"
cp "$(sh scripts/node.sh)" "$work/bin/node"
npm=$(dirname -- "$(readlink -f "$(command -v npm)")")/..
cp -RL "$npm" "$work/lib/npm"
{
  printf 'FROM %s\nCOPY bin/ /usr/local/bin/\nCOPY lib/ /usr/local/lib/\n' "$base"
  printf 'RUN ln -s ../lib/npm/bin/npm-cli.js /usr/local/bin/npm && chmod +x /usr/local/lib/npm/bin/npm-cli.js\n'
} >"$work/Dockerfile"
build "$builder"
