/**
 * Kustomize and Helm make the same objects of each environment. The templates of the chart use four forms of Helm's
 * language; they are evaluated here, and by Helm itself where it is installed (`sh deploy/judge.sh` brings it).
 */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import { ENVIRONMENTS, type Environment, NAMESPACES, type Values } from "../../deploy/src/values.ts";
import { readVersion } from "../../src/base/version.ts";
import { findTool, run } from "../support/deploy-tools.ts";

// biome-ignore lint/suspicious/noExplicitAny: objects of Kubernetes are read here as they come
type Loose = any;

const CHART = "deploy/helm/orchestrator";
const environments = Object.keys(ENVIRONMENTS) as Environment[];

/** Objects by kind and name. */
function byName(text: string): ReadonlyMap<string, Loose> {
  const objects = parseAllDocuments(text)
    .map((document) => document.toJS() as Loose)
    .filter((object) => object !== null);
  return new Map(
    objects.map((object) => [`${object.kind} ${object.metadata.name.replace(/-config-\w{10}$/, "-config")}`, object]),
  );
}

/**
 * An object without what differs between the two, and why it may:
 *   namespace            Helm takes that of its command line
 *   labels of Helm       who manages the object
 *   digest of the map    Kustomize puts it into the name of the ConfigMap, Helm into an annotation of the pods
 */
function comparable(object: Loose): Loose {
  const copy = JSON.parse(JSON.stringify(object).replaceAll(/orchestrator-config-\w{10}/g, "orchestrator-config"));
  delete copy.metadata.namespace;
  for (const label of ["helm.sh/chart", "app.kubernetes.io/managed-by"]) delete copy.metadata.labels[label];
  const annotations = copy.kind === "Deployment" ? copy.spec.template.metadata.annotations : undefined;
  delete annotations?.["checksum/config"];
  if (annotations !== undefined && Object.keys(annotations).length === 0)
    delete copy.spec.template.metadata.annotations;
  return copy;
}

/** What Helm makes of a template that uses no more than this chart does. */
function evaluate(template: string, values: Values): string {
  const [, condition, body = template] =
    /^\{\{- if \.Values\.([\w.]+) \}\}\n(.*)\{\{- end \}\}\n$/s.exec(template) ?? [];
  const read = (path: string): Loose => path.split(".").reduce((value: Loose, name) => value[name], values);
  if (condition !== undefined && read(condition) !== true) return "";
  return body.replaceAll(/\{\{ (.+?) \}\}/g, (whole, code: string) => {
    const [expression = "", filter] = code.split(" | ");
    const [, word, rest = ""] = /^(?:(sha256sum|default \.Chart\.AppVersion) )?(.*)$/.exec(expression) ?? [];
    let value: Loose;
    if (rest === '"{{"') value = "{{";
    else if (rest === ".Release.Name") value = "orchestrator";
    else if (rest.startsWith(".Values.")) value = read(rest.slice(".Values.".length));
    else throw new Error(`the chart says ${whole}, which this test does not know`);
    if (word === "sha256sum") value = createHash("sha256").update(value).digest("hex");
    else if (word !== undefined && value === "") value = readVersion();
    return filter === "toJson" ? JSON.stringify(value) : String(value);
  });
}

function evaluateChart(environment: Environment): string {
  const templates = readdirSync(`${CHART}/templates`).map((name) => readFileSync(`${CHART}/templates/${name}`, "utf8"));
  return templates.map((template) => evaluate(template, ENVIRONMENTS[environment])).join("\n---\n");
}

async function buildOverlay(environment: Environment): Promise<string> {
  const kustomize = findTool("kustomize");
  const folder = `deploy/kubernetes/overlays/${environment}`;
  return kustomize === null
    ? await run(findTool("kubectl") ?? "", ["kustomize", folder])
    : await run(kustomize, ["build", folder]);
}

const kustomizeMissing = findTool("kustomize") === null && findTool("kubectl") === null;
if (kustomizeMissing) console.log("skipped: overlays, because this machine has neither kustomize nor kubectl");
const helm = findTool("helm");
if (helm === null) console.log("skipped: Helm itself, because this machine has none (sh deploy/judge.sh)");

function expectSame(left: string, right: string): void {
  const [one, other] = [byName(left), byName(right)];
  expect([...one.keys()].toSorted()).toEqual([...other.keys()].toSorted());
  for (const [name, object] of one) expect(comparable(object), name).toEqual(comparable(other.get(name)));
}

describe.each(kustomizeMissing && helm === null ? [] : environments)("%s", (environment) => {
  if (!kustomizeMissing)
    test("Kustomize and the chart make the same objects", async () => {
      const built = await buildOverlay(environment);
      expectSame(built, evaluateChart(environment));
      for (const object of byName(built).values()) expect(object.metadata.namespace).toBe(NAMESPACES[environment]);
    });

  if (helm !== null)
    test("Helm makes of the chart what this test makes of it", async () => {
      const file = `${CHART}/values-${environment}.yaml`;
      // The oldest version that is supported: a Helm that is built from source takes the cluster for an older one.
      const words = ["--values", file, "--kube-version", "v1.30.0"];
      const made = await run(helm ?? "", ["template", "orchestrator", CHART, ...words]);
      expectSame(made, evaluateChart(environment));
    });
});

if (helm !== null)
  test("helm lint has no complaint", async () => {
    expect(await run(helm ?? "", ["lint", "--strict", CHART])).toContain("0 chart(s) failed");
  });

test("names of a release reach every object of it", () => {
  const objects = [...byName(evaluateChart("prod")).values()];
  expect(objects.length).toBe(10);
  for (const { metadata } of objects)
    expect(metadata.labels).toMatchObject({
      "app.kubernetes.io/name": "orchestrator",
      "app.kubernetes.io/instance": "orchestrator",
      service: "orchestrator",
    });
});
