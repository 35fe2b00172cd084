#!/bin/sh
# Deploys to Kubernetes with kubectl: `deploy.sh apply` or `deploy.sh render`, with the variables
#   ENV           dev, staging, or prod (also development, production)
#   IMAGE_TAG     tag of the image. dev takes the commit when it is not set, the others refuse.
#   IMAGE         name of the image with its registry; default: orchestrator
#   KUBE_CONTEXT  context of kubectl; default: the current one
#   TIMEOUT       how long to wait for the pods; default: 10m
# Exit codes: 2 when a variable is wrong, 1 when the cluster lacks something, else that of kubectl.
set -eu
cd -- "$(dirname -- "$0")"

refuse() { echo "deploy: $1" >&2; exit 2; }

case ${ENV:-} in
  dev | development) environment=dev namespace=orchestrator-dev ;;
  staging) environment=staging namespace=orchestrator-staging ;;
  prod | production) environment=prod namespace=orchestrator ;;
  '') refuse "say where: ENV=dev, ENV=staging, or ENV=prod" ;;
  *) refuse "there is no environment $ENV; known: dev, staging, prod" ;;
esac
tag=${IMAGE_TAG:-}
if [ -z "$tag" ]; then
  [ "$environment" = dev ] || refuse "$environment takes no image by chance: IMAGE_TAG=v1.0.0"
  tag=$(git rev-parse HEAD | cut -c1-12)
fi
printf '%s' "$tag" | grep -Eqx '[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}' || refuse "$tag is no tag of an image"
[ "$tag" != latest ] || refuse "latest is another image tomorrow: name a version"
image=${IMAGE:-orchestrator}

# kubectl sets images only by a file.
folder=.build/$environment
mkdir -p "$folder"
cat >"$folder/kustomization.yaml" <<END
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources: ["../../kubernetes/overlays/$environment"]
images: [{ name: orchestrator, newName: "$image", newTag: "$tag" }]
END

kube() { kubectl ${KUBE_CONTEXT:+--context "$KUBE_CONTEXT"} "$@"; }

case ${1:-apply} in
  render)
    kube kustomize "$folder" ;;
  apply)
    echo "deploy: $image:$tag to $environment (namespace $namespace, context ${KUBE_CONTEXT:-$(kubectl config current-context)})"
    kube get namespace "$namespace" >/dev/null 2>&1 || kube create namespace "$namespace"
    kube --namespace "$namespace" get secret orchestrator-database >/dev/null 2>&1 || {
      echo "deploy: the database is missing: kubectl create secret generic orchestrator-database --namespace=$namespace --from-literal=url=postgresql://…" >&2
      exit 1
    }
    kube apply --kustomize "$folder"
    kube --namespace "$namespace" rollout status deployment/orchestrator --timeout "${TIMEOUT:-10m}" ;;
  *) refuse "say apply or render" ;;
esac
