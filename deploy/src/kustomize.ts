/** The files of Kustomize: a base with the defaults, a component for monitoring, and an overlay per environment. */
import { isDeepStrictEqual } from "node:util";
import { coreObjects, monitoringObjects } from "./objects/index.ts";
import { labelsOf } from "./objects/names.ts";
import { DEFAULTS, ENVIRONMENTS, type Environment, NAMESPACES, type Part, type Values } from "./values.ts";
import { type Files, yamlFile } from "./yaml-file.ts";

const RELEASE = "orchestrator";

/** Files below deploy/kubernetes. */
export function renderKustomize(version: string): Files {
  const base = objectsOf(DEFAULTS, version);
  const core = Object.keys(base.core);
  const monitoring = Object.keys(base.monitoring);
  const files: Record<string, string> = {
    "base/kustomization.yaml": yamlFile({
      apiVersion: "kustomize.config.k8s.io/v1beta1",
      kind: "Kustomization",
      resources: core.map((name) => `${name}.yaml`),
      // The name of the map ends with a digest of the text, so another text makes new pods.
      configMapGenerator: [{ name: `${RELEASE}-config`, files: ["orchestrator.yaml"] }],
      generatorOptions: { labels: labelsOf(RELEASE) },
    }),
    "base/orchestrator.yaml": DEFAULTS.config.text,
    "monitoring/kustomization.yaml": yamlFile({
      apiVersion: "kustomize.config.k8s.io/v1alpha1",
      kind: "Component",
      resources: monitoring.map((name) => `${name}.yaml`),
    }),
  };
  for (const [name, object] of Object.entries(base.core)) files[`base/${name}.yaml`] = yamlFile(object);
  for (const [name, object] of Object.entries(base.monitoring)) files[`monitoring/${name}.yaml`] = yamlFile(object);
  for (const environment of Object.keys(ENVIRONMENTS) as Environment[]) {
    for (const [name, text] of Object.entries(renderOverlay(environment, base.core, version)))
      files[`overlays/${environment}/${name}`] = text;
  }
  return files;
}

function objectsOf(values: Values, version: string) {
  const tagged = { ...values, image: { ...values.image, tag: values.image.tag || version } };
  return { core: coreObjects(RELEASE, tagged, {}), monitoring: monitoringObjects(RELEASE, tagged) };
}

function renderOverlay(environment: Environment, base: Readonly<Record<string, Part>>, version: string): Files {
  const values = ENVIRONMENTS[environment];
  const patches = Object.entries(objectsOf(values, version).core).flatMap(([name, wanted]) => {
    const difference = differenceOf(base[name], wanted);
    return difference === undefined ? [] : [{ name, patch: { ...identityOf(wanted), ...(difference as Part) } }];
  });
  const hasText = values.config.text !== DEFAULTS.config.text;
  const files: Record<string, string> = {
    "kustomization.yaml": yamlFile({
      apiVersion: "kustomize.config.k8s.io/v1beta1",
      kind: "Kustomization",
      namespace: NAMESPACES[environment],
      resources: ["../../base"],
      ...(values.monitoring.enabled ? { components: ["../../monitoring"] } : {}),
      ...(hasText
        ? {
            configMapGenerator: [{ name: `${RELEASE}-config`, behavior: "replace", files: ["orchestrator.yaml"] }],
          }
        : {}),
      ...(patches.length === 0 ? {} : { patches: patches.map(({ name }) => ({ path: `${name}.patch.yaml` })) }),
    }),
  };
  if (hasText) files["orchestrator.yaml"] = values.config.text;
  for (const { name, patch } of patches) files[`${name}.patch.yaml`] = yamlFile(patch);
  return files;
}

function identityOf({ apiVersion, kind, metadata }: Part): Part {
  return { apiVersion, kind, metadata: { name: (metadata as { name: string }).name } };
}

/**
 * What a strategic merge has to say to get from one value to another; undefined when they are equal. Items of lists
 * that have names are merged by them; other lists are replaced.
 */
function differenceOf(from: unknown, to: unknown): unknown {
  if (isDeepStrictEqual(from, to)) return undefined;
  if (Array.isArray(from) && Array.isArray(to) && [...from, ...to].every((item) => isNamed(item)))
    return (to as Part[]).flatMap((item) => {
      const difference = differenceOf(
        from.find((one: Part) => one["name"] === item["name"]),
        item,
      );
      return difference === undefined ? [] : [{ name: item["name"], ...(difference as Part) }];
    });
  if (!isMap(from) || !isMap(to)) return to;
  const changed = Object.keys(to).flatMap((key) => {
    const difference = differenceOf(from[key], to[key]);
    return difference === undefined ? [] : [[key, difference] as const];
  });
  const removed = Object.keys(from).filter((key) => !(key in to));
  return Object.fromEntries([...changed, ...removed.map((key) => [key, null] as const)]);
}

function isMap(value: unknown): value is Part {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isNamed(value: unknown): boolean {
  return isMap(value) && typeof value["name"] === "string";
}
