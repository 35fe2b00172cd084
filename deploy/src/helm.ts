/**
 * The Helm chart: the same objects, made of names of values instead of values. Every value is one that a template
 * prints as JSON, which is YAML too, so templates need no indentation and no logic but `if`.
 */
import { Document, type Scalar, type YAMLMap } from "yaml";
import { coreObjects, monitoringObjects } from "./objects/index.ts";
import { labelsOf } from "./objects/names.ts";
import { ABOUT, DEFAULTS, ENVIRONMENTS, type Part, type Values } from "./values.ts";
import { type Files, HEAD, yamlFile } from "./yaml-file.ts";

/** A value of the template engine, as a word that YAML leaves alone. */
const word = (path: string): string => `__${path}__`;
const WHOLE = /(?<= )__([\w.]+)__(?=\n)/g;
const PART = /__([\w.]+)__/g;

/** What words stand for that are not just values. */
const EXPRESSIONS: Readonly<Record<string, string>> = {
  // Another text makes new pods.
  "Config.digest": "sha256sum .Values.config.text",
  "Values.image.tag": "default .Chart.AppVersion .Values.image.tag",
};

const RELEASE = word("Release.Name");

/** Files below deploy/helm/orchestrator. */
export function renderHelm(version: string): Files {
  const values = placesOf(DEFAULTS);
  const configMap = {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: `${RELEASE}-config`, labels: labelsOf(RELEASE) },
    data: { "orchestrator.yaml": values.config.text },
  };
  const core = coreObjects(RELEASE, values, { "checksum/config": word("Config.digest") });
  const files: Record<string, string> = {
    "Chart.yaml": yamlFile({
      apiVersion: "v2",
      name: "orchestrator",
      description: "Durable flows of tasks that call tools, behind one Protobuf contract",
      type: "application",
      version,
      appVersion: version,
      kubeVersion: ">=1.30.0-0",
    }),
    "values.yaml": renderDefaults(),
    "templates/config-map.yaml": template(configMap),
  };
  for (const [name, values] of Object.entries(ENVIRONMENTS)) files[`values-${name}.yaml`] = yamlFile(values);
  for (const [name, object] of Object.entries(core)) files[`templates/${name}.yaml`] = template(object);
  for (const [name, object] of Object.entries(monitoringObjects(RELEASE, values)))
    files[`templates/${name}.yaml`] = `{{- if .Values.monitoring.enabled }}\n${template(object)}{{- end }}\n`;
  return files;
}

/** Words in the places of all values. */
function placesOf(values: Values): Values {
  const sections = Object.entries(values).map(([section, settings]: [string, Part]) => [
    section,
    Object.fromEntries(Object.keys(settings).map((name) => [name, word(`Values.${section}.${name}`)])),
  ]);
  return Object.fromEntries(sections) as Values;
}

/** A document as a template. Braces that Prometheus reads are printed by the engine as they are. */
function template(document: Part): string {
  const expressionOf = (path: string): string => EXPRESSIONS[path] ?? `.${path}`;
  return yamlFile(document)
    .replaceAll("{{", '{{ "{{" }}')
    .replaceAll(WHOLE, (_, path: string) => `{{ ${expressionOf(path)} | toJson }}`)
    .replaceAll(PART, (_, path: string) => `{{ ${expressionOf(path)} }}`);
}

/** The defaults, each with what it is. */
function renderDefaults(): string {
  const document = new Document(DEFAULTS, { aliasDuplicateObjects: false });
  for (const [section, settings] of Object.entries(ABOUT)) {
    for (const [name, text] of Object.entries(settings)) {
      const pairs = (document.get(section) as YAMLMap<Scalar>).items;
      const pair = pairs.find(({ key }) => key.value === name);
      if (pair !== undefined) pair.key.commentBefore = ` ${text}`;
    }
  }
  return `${HEAD}${document.toString({ lineWidth: 0 })}`;
}
