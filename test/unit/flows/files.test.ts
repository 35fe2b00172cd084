/** Files that the service brings along: examples, templates, the JSON Schema and the reference of task types. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Ajv } from "ajv";
import { describe, expect, it } from "vitest";
import { renderFlowFiles } from "../../../scripts/flow-docs.ts";
import type { Json } from "../../../src/base/json/json.ts";
import { validateFlow } from "../../../src/flows/compile.ts";
import { flowJsonSchema } from "../../../src/flows/document/json-schema.ts";
import { parseFlowSource } from "../../../src/flows/document/parse.ts";
import { TASK_TYPES, WRITABLE_TASK_TYPES } from "../../../src/tasks/index.ts";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const read = (path: string): Promise<string> => readFile(join(root, path), "utf8");
const yamlFiles = async (folder: string): Promise<string[]> =>
  (await readdir(join(root, folder))).filter((file) => /\.ya?ml$/.test(file)).map((file) => `${folder}/${file}`);

const ajv = new Ajv({ allErrors: true, strictRequired: false, allowUnionTypes: true, formats: { "date-time": true } });
const fits = ajv.compile(flowJsonSchema());
const schemaProblems = (value: Json): string => (fits(value) ? "" : ajv.errorsText(fits.errors));

describe("examples and templates", async () => {
  const files = [...(await yamlFiles("examples")), ...(await yamlFiles("templates"))];

  it.each(files)("%s is a valid flow for the checks and for the JSON Schema", async (file) => {
    const text = await read(file);
    expect(validateFlow({ text })).toEqual([]);
    expect(schemaProblems(parseFlowSource(text).value)).toBe("");
  });
});

describe("docs/flows.md", async () => {
  const blocks = [...(await read("docs/flows.md")).matchAll(/^```yaml\n([\s\S]*?)^```$/gm)]
    .map(([, text]) => text ?? "")
    .filter((text) => text.startsWith("id:"));

  it("holds flows", () => {
    expect(blocks.length).toBeGreaterThan(1);
  });

  it.each(blocks)("shows a flow that is valid: %s", (text) => {
    expect(validateFlow({ text })).toEqual([]);
    expect(schemaProblems(parseFlowSource(text).value)).toBe("");
  });
});

describe("task types", () => {
  it.each(WRITABLE_TASK_TYPES)("the example of %s is valid in a flow", (type) => {
    const example = TASK_TYPES[type].example.replaceAll(/^/gm, "      ").replace(/^ {6}/, "    - ");
    const names = ["net", "tax", "customer", "score", "query", "files", "invoice_id"];
    const variables = names.map((name) => `{name: ${name}}`).join(", ");
    const more = "    - {id: publish, type: noop}\n    - {id: rework, type: noop}\n";
    const text = `id: f\nvariables: [${variables}]\nworkflow:\n  tasks:\n${example.trimEnd()}\n${type === "condition" ? more : ""}`;
    expect(validateFlow({ text })).toEqual([]);
    expect(schemaProblems(parseFlowSource(text).value)).toBe("");
  });
});

describe("the JSON Schema", () => {
  const flow = (task: Json): Json => ({ id: "f", workflow: { tasks: [task] } });

  it("and the reference of task types are fresh", async () => {
    for (const [path, text] of Object.entries(await renderFlowFiles()))
      expect(await read(path), `${path}: run node scripts/flow-docs.ts`).toBe(text);
  });

  it("lets expressions stand for any parameter", () => {
    expect(
      schemaProblems(
        flow({
          id: "a",
          type: "http",
          parameters: { url: "x", method: "${vars.m}", expect_status: "${vars.s}", headers: { a: "${vars.h}" } },
        }),
      ),
    ).toBe("");
    expect(schemaProblems(flow({ id: "a", type: "wait", parameters: { duration: "${vars.d}" } }))).toBe("");
  });

  it.each([
    [{ id: "a", type: "noop", tmeout: 1 }],
    [{ id: "a", type: "nope" }],
    [{ id: "A", type: "noop" }],
    [{ id: "a", type: "noop", parameters: { outptu: 1 } }],
    [{ id: "a", type: "http", parameters: { url: "x", method: "FETCH" } }],
    [{ id: "a", type: "condition" }],
    [{ id: "a", type: "transform" }],
    [{ id: "a", type: "noop", timeout: "soon" }],
    [{ id: "a", type: "parallel", parameters: { tasks: [{ type: "condition", condition: "${true}" }] } }],
    [{ id: "a", type: "map", parameters: { items: [], task: { type: "noop", id: "x" } } }],
  ])("refuses %j", (task) => {
    expect(schemaProblems(flow(task))).not.toBe("");
  });
});
