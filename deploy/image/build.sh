#!/bin/sh
# Builds the image from the Dockerfile, with buildah or Docker, whichever the machine has (ENGINE says otherwise).
#   build.sh [--target full|slim] [--tag NAME:TAG] [--output FILE.tar]
# --target  `full` (default) or `slim`, which has no PostgreSQL inside
# --tag     default: orchestrator:<commit>, with `-slim` for that target
# --output  also writes the image as an archive of Docker, for `docker load` and `podman load`
# Variables: BASE and BUILDER are the images to build on and in; `local` makes both from packages of Debian first, for
# machines without a registry. CA is a file of certificates for npm. SOURCE_DATE_EPOCH is the time of all files, by
# default that of the commit: the same inputs give the same image. VERSION is by default that of package.json.
# Prints the tag and the id of the image.
set -eu
cd -- "$(dirname -- "$0")/../.."
target=full
tag=
output=
while [ $# -gt 0 ]; do
  case $1 in
    --target) target=$2 ;;
    --tag) tag=$2 ;;
    --output) output=$2 ;;
    *) sed -n '2,11p' "$0" >&2; exit 2 ;;
  esac
  shift 2
done
case $target in full | slim) ;; *) echo "build.sh: there is no target $target; known: full, slim" >&2; exit 2 ;; esac

revision=${REVISION:-$(git rev-parse HEAD)}
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
export SOURCE_DATE_EPOCH
created=$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y-%m-%dT%H:%M:%SZ 2>/dev/null || date -u -r "$SOURCE_DATE_EPOCH" +%Y-%m-%dT%H:%M:%SZ)
version=${VERSION:-$(sed -n 's/^  "version": "\(.*\)",$/\1/p' package.json)}
suffix=
[ "$target" = full ] || suffix=-$target
tag=${tag:-orchestrator:$(echo "$revision" | cut -c1-12)$suffix}

engine=${ENGINE:-}
if [ -z "$engine" ]; then
  if docker info >/dev/null 2>&1; then engine=docker
  elif command -v buildah >/dev/null; then engine=buildah
  else echo "build.sh: neither Docker nor buildah is here" >&2; exit 1; fi
fi
if [ "${BASE:-}" = local ] || [ "${BUILDER:-}" = local ]; then
  sh deploy/image/base.sh >&2
  BASE=localhost/orchestrator-base:bookworm
  BUILDER=localhost/orchestrator-builder:bookworm
fi

set -- --file Dockerfile --target "$target" --tag "$tag" \
  --build-arg "VERSION=$version" --build-arg "REVISION=$revision" --build-arg "CREATED=$created"
[ -z "${BASE:-}" ] || set -- "$@" --build-arg "BASE=$BASE"
[ -z "${BUILDER:-}" ] || set -- "$@" --build-arg "BUILDER=$BUILDER"
[ -z "${CA:-}" ] || set -- "$@" --secret "id=ca,src=$CA"
case $engine in
  docker)
    # Only an exporter of BuildKit sets the times of files.
    docker buildx build "$@" --build-arg "SOURCE_DATE_EPOCH=$SOURCE_DATE_EPOCH" \
      --output "type=docker,rewrite-timestamp=true" . >&2
    [ -z "$output" ] || docker save --output "$output" "$tag"
    id=$(docker image inspect --format '{{.Id}}' "$tag") ;;
  buildah)
    # The format of Docker, because that of OCI has no HEALTHCHECK.
    buildah bud "$@" --format docker --isolation chroot --timestamp "$SOURCE_DATE_EPOCH" . >&2
    [ -z "$output" ] || buildah push --quiet "$tag" "docker-archive:$output:$tag" >&2
    id=sha256:$(buildah inspect --type image --format '{{.FromImageID}}' "$tag") ;;
  *) echo "build.sh: there is no engine $engine; known: docker, buildah" >&2; exit 2 ;;
esac
echo "$tag $id"
