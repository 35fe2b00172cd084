/** Files that the service brings along: examples, templates, the JSON Schema and the reference of task types. */
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Ajv } from "ajv";
import { describe, expect, it } from "vitest";
import { renderFlowFiles } from "../../../scripts/flow-docs.ts";
import type { Json } from "../../../src/base/json/json.ts";
import { validateFlow } from "../../../src/flows/compile.ts";
import { flowJsonSchema } from "../../../src/flows/document/json-schema.ts";
import { parseFlowSource } from "../../../src/flows/document/parse.ts";
import { openTemplates } from "../../../src/flows/templates.ts";
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

describe("templates", () => {
  it("are read from their folder, in order, and filled in", async () => {
    const catalogue = await openTemplates(join(root, "templates"));
    expect(catalogue.refused).toEqual([]);
    const ids = catalogue.listTemplates("", 100).map((template) => template.templateId);
    expect(ids).toEqual([...ids].sort());
    expect(catalogue.listTemplates(ids[0] ?? "", 1).map((template) => template.templateId)).toEqual(ids.slice(1, 2));
    const document = catalogue.fillTemplate("http-check", {
      variables: { url: "http://x", max_calls: 2 },
      flowId: "my-check",
      version: "7",
    });
    expect(document).toMatchObject({ id: "my-check", version: "7" });
    expect(
      (document["variables"] as { name: string; default?: Json }[]).map((variable) => [
        variable.name,
        variable.default,
      ]),
    ).toEqual([
      ["url", "http://x"],
      ["interval", "30s"],
      ["max_calls", 2],
    ]);
    expect(validateFlow({ document })).toEqual([]);
    expect(() => catalogue.getTemplate("nope")).toThrow(/template nope does not exist/);
    expect(() =>
      catalogue.fillTemplate("http-check", { variables: { url: 5, uri: 1 }, flowId: "", version: "" }),
    ).toThrow(/url: expected a value of type string/);
  });

  it("that are broken or doubled are left out with their reason; a folder that is missing has none", async () => {
    const folder = await mkdtemp(join(tmpdir(), "templates-"));
    try {
      const good = "id: a\nworkflow: {tasks: [{id: x, type: noop}]}\n";
      await Promise.all([
        writeFile(join(folder, "1.yaml"), good),
        writeFile(join(folder, "2.yml"), good),
        writeFile(join(folder, "3.yaml"), "id: b\n"),
        writeFile(join(folder, "4.json"), '{"id": "c", "workflow": {"graph": "g"}}'),
        writeFile(join(folder, "readme.md"), "not a flow"),
      ]);
      const catalogue = await openTemplates(folder);
      expect(catalogue.listTemplates("", 10).map((template) => template.templateId)).toEqual(["a", "c"]);
      expect(catalogue.refused.map(({ file, error }) => `${file} ${error.code}`)).toEqual([
        "2.yml FLOW_SOURCE_INVALID",
        "3.yaml FLOW_INVALID",
      ]);
      expect((await openTemplates(join(folder, "missing"))).listTemplates("", 10)).toEqual([]);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
