/** Flows in the short format: their task ids are any text, and become ids of ours. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { isOrchestratorError } from "../../../../src/base/errors.ts";
import type { Json, JsonObject } from "../../../../src/base/json/json.ts";
import { externalIdOf, pathOf } from "../../../../src/engine/machine/external-ids.ts";
import { compileFlow, validateFlow } from "../../../../src/flows/compile.ts";
import { fromShort } from "../../../../src/flows/short/short-flow.ts";
import { deriveIds } from "../../../../src/flows/short/task-ids.ts";
import { ID_PATTERN } from "../../../../src/tasks/schema/schemas.ts";

/** Texts that are near each other, and near what others become. */
const text = fc.oneof(
  fc.string({ unit: "binary", minLength: 1, maxLength: 80 }),
  fc.string({ unit: fc.constantFrom("a", "A", "-", "_", ".", " ", "ä"), minLength: 1, maxLength: 6 }),
  fc
    .string({ unit: fc.constantFrom("a", "A", "."), minLength: 1, maxLength: 4 })
    .map((one) => deriveIds([one]).get(one) ?? ""),
);

test("different texts become different ids that obey the grammar, and ids that obey it stay", () => {
  fc.assert(
    fc.property(fc.uniqueArray(text, { maxLength: 40 }), (written) => {
      const ids = deriveIds(written);
      expect(new Set(ids.values()).size).toBe(written.length);
      for (const [one, id] of ids) {
        expect(id).toMatch(ID_PATTERN);
        expect(id.length).toBeLessThanOrEqual(64);
        if (ID_PATTERN.test(one) && one.length <= 64) expect(id === one).toBe(one !== "constructor");
      }
    }),
    { numRuns: 500 },
  );
});

test("an id depends on its text, not on its neighbors or their order", () => {
  const all = deriveIds(["Send E-Mail", "send e-mail", "b", "Größe", "1. Schritt", "日本", "__proto__", "constructor"]);
  for (const [one, id] of all) expect(deriveIds([one]).get(one)).toBe(id);
  expect(new Set([...all.values()].map((id) => id.replace(/-[0-9a-f]{12}$/, "-#")))).toEqual(
    new Set(["send-e-mail-#", "b", "gr-e-#", "schritt-#", "task-#", "proto__-#", "constructor-#"]),
  );
});

test("what another task is called is left to it", () => {
  const derived = deriveIds(["Send"]).get("Send") ?? "";
  for (const written of [
    ["Send", derived],
    [derived, "Send"],
  ]) {
    const ids = deriveIds(written);
    expect(ids.get(derived)).toBe(derived);
    expect(ids.get("Send")).not.toBe(derived);
  }
});

const short = (...tasks: JsonObject[]): JsonObject => fromShort({ id: "short", tasks }, [], 2);

function refusalOf(...tasks: JsonObject[]): string {
  try {
    short(...tasks);
  } catch (error) {
    if (isOrchestratorError(error)) return `${error.code} ${String(error.details["first"])}`;
    throw error;
  }
  return "";
}

const ODD = [
  ...["Send E-Mail", "send e-mail", "a.b/c", "v1.0", 'say "hi"', "back\\slash", "${x}", "}", "日本語", "e\u0301", "é"],
  ...["__proto__", "constructor", "toString", "tasks", " ", "line\nbreak", "x".repeat(255), "😀".repeat(255)],
];

test("tasks of any names register, depend on each other, and read each other", async () => {
  const chain = ODD.map((id, index) => ({
    ...{ id, handler: "h" },
    ...(index === 0 ? {} : { depends_on: [ODD[index - 1] ?? ""] }),
  }));
  const { plan } = await compileFlow({ document: short(...chain, { id: "last", handler: "h", depends_on: ODD }) });
  if (plan.kind !== "dag") throw new Error("not a DAG");
  const scope = { vars: {}, run: {}, task: (id: string) => ({ output: `of ${id}` }) };
  const inputsOf = (index: number): object =>
    (plan.nodes[index]?.task.parameters.evaluate(scope) as { readonly inputs: object } | undefined)?.inputs ?? {};
  expect(Object.entries(inputsOf(ODD.length))).toEqual(ODD.map((name) => [name, `of ${pathOf(plan, name)}`]));
  for (const [index, name] of ODD.entries()) {
    const node = plan.nodes[index];
    if (node === undefined) throw new Error("missing");
    expect(node.task.name).toBe(name);
    expect(externalIdOf(plan, node.task.id)).toBe(name);
    expect(pathOf(plan, name)).toBe(node.task.id);
    expect(pathOf(plan, node.task.id)).toBe(node.task.id);
    const before = plan.nodes[index - 1]?.task.id;
    expect(Object.entries(inputsOf(index))).toEqual(before === undefined ? [] : [[ODD[index - 1], `of ${before}`]]);
  }
});

test("expressions may name tasks as they are written", async () => {
  const inputs: Json = {
    a: '${tasks["Send E-Mail"].output.n}',
    b: '${tasks["say \\"hi\\""].output.n + 1}',
    c: "${Hello.output.n}",
  };
  const names = ["Send E-Mail", 'say "hi"', "Hello"];
  const { plan } = await compileFlow({
    document: short(...names.map((id) => ({ id, handler: "h" })), { id: "z", handler: "h", depends_on: names, inputs }),
  });
  if (plan.kind !== "dag") throw new Error("not a DAG");
  const scope = { vars: {}, run: {}, task: (id: string) => ({ output: { n: names.indexOf(externalIdOf(plan, id)) } }) };
  expect(plan.nodes[3]?.task.parameters.evaluate(scope)).toEqual({ handler: "h", inputs: { a: 0, b: 2, c: 2 } });
});

test("ids that cannot be are refused by name", () => {
  const a = { id: "A", handler: "h" };
  expect(refusalOf({ handler: "h" })).toBe(
    "FLOW_INVALID tasks[0].id: expected text of up to 255 characters; it is missing",
  );
  expect(refusalOf({ id: "", handler: "h" })).toContain("tasks[0].id: expected text of up to 255 characters");
  expect(refusalOf(a, { id: 7, handler: "h" })).toContain("tasks[1].id: expected text");
  expect(refusalOf(a, { id: "x".repeat(256), handler: "h" })).toContain(
    "tasks[1].id: it has 256 characters; the limit is 255",
  );
  expect(refusalOf(a, { id: "😀".repeat(256), handler: "h" })).toContain("it has 256 characters");
  expect(refusalOf(a, { id: "b", handler: "h" }, a)).toContain('tasks[2].id: "A" is the id of tasks[0], too');
  expect(refusalOf(a, { id: "b", handler: "h", depends_on: ["Sen it"] }, { ...a, id: "Send it" })).toContain(
    'tasks[1].depends_on[0]: there is no task "Sen it"; did you mean "Send it"?',
  );
});

test("children and compensations are called by their task", async () => {
  const { plan } = await compileFlow({
    document: short(
      { id: "All of it", type: "map", parameters: { items: [1], task: { type: "noop" } } },
      { id: "Pay", handler: "h", compensate_with: "Pay back" },
      { id: "Pay back", handler: "h" },
      { id: "v1.0", handler: "h" },
    ),
  });
  const { plan: own } = await compileFlow({ document: { id: "f", workflow: { tasks: [{ id: "a", type: "noop" }] } } });
  for (const name of ["All of it.3", "All of it.3.14", "Pay~compensate", "Pay~compensate.2", "v1.0"]) {
    const path = pathOf(plan, name);
    expect(path).not.toBe(name);
    expect(externalIdOf(plan, path)).toBe(name);
    expect(pathOf(own, name)).toBe(name);
  }
  expect(pathOf(plan, "nothing.0")).toBe("nothing.0");
});

test("a name has one meaning in a flow", () => {
  const problems = (...tasks: JsonObject[]): readonly string[] =>
    validateFlow({ document: { id: "f", workflow: { tasks } } }).map(
      ({ field, description }) => `${field}: ${description}`,
    );
  const a = { id: "a", external_id: "A", type: "noop" };
  expect(problems(a, { id: "b", external_id: "A", type: "noop" })).toEqual([
    'workflow.tasks[1].external_id: "A" is the id or the external id of another task, too',
  ]);
  expect(problems(a, { id: "b", external_id: "a", type: "noop" })).toEqual([
    expect.stringContaining("tasks[1].external_id"),
  ]);
  expect(problems({ id: "b", external_id: "a", type: "noop" }, a)).toEqual([
    expect.stringContaining("tasks[0].external_id"),
  ]);
  const group = { id: "g", external_id: "G", type: "map", parameters: { items: [1], task: { type: "noop" } } };
  for (const name of ["G.0", "g.12", "G.0.1"])
    expect(problems(group, { id: "b", external_id: name, type: "noop" })).toEqual([
      expect.stringContaining("would be what a child or the compensation of the task"),
    ]);
  expect(problems(a, { id: "b", external_id: "A.0", type: "noop" })).toEqual([]);
  expect(problems({ id: "b", external_id: "", type: "noop" })).toHaveLength(1);
  expect(problems({ id: "b", external_id: "x".repeat(256), type: "noop" })).toHaveLength(1);
});
