/** Whatever comes in: an answer or an error of the catalogue, never a bug. */
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { expect, it } from "vitest";
import { isOrchestratorError } from "../../../src/base/errors.ts";
import type { Json, JsonObject } from "../../../src/base/json/json.ts";
import { compileFlow, validateFlow } from "../../../src/flows/compile.ts";
import { parseFlowSource } from "../../../src/flows/document/parse.ts";
import { compileTemplate } from "../../../src/flows/interpolation/template.ts";
import { scopeWith } from "./scope.ts";

function survives(body: () => unknown): void {
  try {
    body();
  } catch (error) {
    if (!isOrchestratorError(error)) throw error;
  }
}

const keys = [
  ..."id name description version category variables workflow tasks states graph initial output timeout budget fail_fast max_transitions compensations".split(
    " ",
  ),
  ..."type parameters depends_on trigger_rule condition on_success on_failure retry_policy on_error on_reject compensate_with task transitions on after final".split(
    " ",
  ),
  ..."when to signal delay match max_retries backoff_type items default required enum url duration __proto__ constructor toString".split(
    " ",
  ),
];
const words = [
  "a",
  "b",
  "noop",
  "http",
  "map",
  "parallel",
  "condition",
  "transform",
  "signal",
  "all_done",
  "${a.output}",
  "${b}",
  "${",
  "5s",
  "",
  "continue",
  "completed",
  "__proto__",
];

/** Objects with the keys of flows at places where they do not belong. */
const { node } = fc.letrec((tie) => ({
  node: fc.oneof(
    { depthSize: "medium", maxDepth: 7 },
    fc.oneof(
      fc.constantFrom<Json>(...words),
      fc.constantFrom<Json>(null, true, 0, 1, -1, 1.5, 1e300),
      fc.constantFrom<Json>([], {}),
    ),
    fc.array(tie("node"), { maxLength: 4 }),
    fc
      .array(fc.tuple(fc.constantFrom(...keys), tie("node")), { maxLength: 7 })
      .map((entries) => Object.fromEntries(entries)),
  ),
}));

it("documents of any shape are judged", () => {
  fc.assert(
    fc.property(
      node as fc.Arbitrary<Json>,
      node as fc.Arbitrary<Json>,
      fc.constantFrom("tasks", "states", "compensations", "variables"),
      (first, second, place) => {
        const list = [first, second, { id: "a", type: "noop" }, { id: "b", task: first, parameters: second }];
        const workflow =
          place === "variables"
            ? { tasks: list }
            : { [place]: list, ...(typeof second === "object" && !Array.isArray(second) ? second : {}) };
        for (const document of [first, { id: "f", workflow, variables: place === "variables" ? list : [] }])
          survives(() => validateFlow({ document: document as JsonObject }));
      },
    ),
    { numRuns: 1_000 },
  );
});

it("a document without problems compiles", async () => {
  let compiled = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(node as fc.Arbitrary<Json>, { minLength: 1, maxLength: 3 }), async (outputs) => {
      const tasks = outputs.map((output, index) => ({
        id: `t${index}`,
        type: "transform",
        parameters: { output },
        ...(index > 0 ? { depends_on: [`t${index - 1}`] } : {}),
      }));
      const document = { id: "f", workflow: { tasks } };
      let problems: readonly unknown[] = [1];
      survives(() => {
        problems = validateFlow({ document });
      });
      if (problems.length > 0) return;
      const { plan } = await compileFlow({ document });
      compiled++;
      if (plan.kind === "dag") survives(() => plan.nodes[0]?.task.parameters.evaluate(scopeWith({})));
    }),
    { numRuns: 200 },
  );
  expect(compiled).toBeGreaterThan(20);
});

it("broken YAML and JSON is read or refused", () => {
  const seeds = ["invoice-approval", "order", "page-report"].map((name) =>
    readFileSync(new URL(`../../../examples/${name}.yaml`, import.meta.url), "utf8"),
  );
  const pieces = [
    "\n",
    "  ",
    "- ",
    ": ",
    "{",
    "}",
    "[",
    "]",
    "&a ",
    "*a",
    "!!str ",
    "|",
    ">",
    "'",
    '"',
    "#",
    "%",
    "---\n",
    "\t",
    "\u0000",
    "\ud800",
    "?",
    ",",
    "${",
    "<<: *a\n",
  ];
  fc.assert(
    fc.property(
      fc.constantFrom(...seeds),
      fc.array(fc.tuple(fc.nat(2_000), fc.nat(20), fc.constantFrom(...pieces)), { minLength: 1, maxLength: 5 }),
      (seed, edits) => {
        let text = seed;
        for (const [at, cut, piece] of edits) text = text.slice(0, at) + piece + text.slice(at + cut);
        survives(() => validateFlow({ text }));
      },
    ),
    { numRuns: 400 },
  );
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 60 }), (text) => survives(() => parseFlowSource(text))),
    { numRuns: 400 },
  );
});

it("expressions of any text compile or are refused, and evaluate or fail", () => {
  const tokens = [
    "a",
    "b",
    "tasks",
    "vars",
    "item",
    ".",
    "[",
    "]",
    "(",
    ")",
    "{",
    "}",
    "+",
    "-",
    "?",
    ":",
    ",",
    "'x'",
    '"',
    "1",
    "1.5",
    "in",
    "has(",
    ".map(x,",
    "x",
    "&&",
    "!",
    "null",
    " ",
    "$",
    "\\",
    "r'",
    "b'",
    "@",
    "$0",
    "@step",
    "@result",
    "0u",
    "//",
    "\n",
  ];
  const names = { variables: new Set(["a"]), tasks: new Set(["b"]) };
  const scope = scopeWith({ a: { x: [1, "2", null] } }, { b: { y: 1 } }, { item: [1], index: 0 });
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...tokens), { maxLength: 14 }), (parts) => {
      const { template, problems } = compileTemplate(`\${${parts.join("")}}`, names);
      if (problems.length === 0) survives(() => template.evaluate(scope));
    }),
    { numRuns: 5_000 },
  );
});
