/** Dry runs of flows: ways, choices, and what is not known. */
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import type { Json, JsonObject } from "../../../../src/base/json/json.ts";
import { dryRun } from "../../../../src/engine/dry-run/dry-run.ts";
import type { Mock } from "../../../../src/engine/ports/dry-run/dry-runs.ts";
import { compileFlow } from "../../../../src/flows/compile.ts";
import { withModels } from "../../../../src/flows/planning/models.ts";

const NO_MODELS = { sizeOf: () => null };
/** `ai` tasks are done by a model of the service. */
const MODELS = {
  known: new Map([["m", { model: "m", perMinute: new Map(), priced: new Set<string>() }]]),
  standard: "m",
};

async function dry(text: string, mocks: Readonly<Record<string, Mock>> = {}, input: JsonObject = {}) {
  const document = { id: "f", version: "1", ...(parse(text) as JsonObject) };
  const plan = withModels((await compileFlow({ document })).plan, MODELS);
  const estimates = NO_MODELS;
  const mocked = new Map(Object.entries(mocks));
  const report = await dryRun({ plan, document, input, mocks: mocked, estimates, now: 1_000_000 });
  const ways = report.ways.map(
    ({ choices, end }) => `${choices.map((c) => `${c.about} ${c.taken}`).join(", ")}: ${end}`,
  );
  return { ...report, told: ways };
}

const gives = (output: Json): Mock => ({ ok: true, output });

const INVOICE = `
variables: [{name: invoice, type: string, default: i-1}]
workflow:
  tasks:
    - {id: fetch, type: http, parameters: {service: billing, path: "/invoices/\${vars.invoice}"}}
    - id: big
      type: condition
      depends_on: [fetch]
      condition: "\${fetch.output.amount > 1000}"
      on_success: [ask]
      on_failure: [pay]
    - {id: ask, type: approval}
    - {id: pay, type: http, trigger_rule: none_failed, depends_on: [ask], compensate_with: refund,
       parameters: {url: "https://pay.example/v1/payments", body: {amount: "\${fetch.output.amount}"}}}
    - {id: refund, type: http, parameters: {url: "https://pay.example/v1/refunds", method: POST}}
`;

test("a result that is not known and decides is followed both ways, and so is what a person says", async () => {
  const { told, isCut, tasks, targets, unreached } = await dry(INVOICE);
  expect(told).toEqual([
    "condition big true, approval ask approved: COMPLETED",
    "condition big true, approval ask rejected: FAILED",
    "condition big false: COMPLETED",
  ]);
  expect(isCut).toBe(false);
  expect(tasks).toEqual([
    { id: "fetch", type: "http", ways: 3, mostCalls: 1 },
    { id: "pay", type: "http", ways: 2, mostCalls: 1 },
  ]);
  // The address of `pay` is known, its body is not.
  expect(targets).toEqual([
    { kind: "service", name: "billing" },
    { kind: "address", name: "https://pay.example" },
  ]);
  expect(unreached).toEqual(["refund"]);
});

test("a result that is given decides", async () => {
  const { told, ways } = await dry(INVOICE, { fetch: gives({ amount: 10 }) });
  expect(told).toEqual([": COMPLETED"]);
  expect(ways[0]?.calls.map(({ id, input }) => [id, input])).toEqual([
    ["fetch", { service: "billing", path: "/invoices/i-1" }],
    ["pay", { url: "https://pay.example/v1/payments", body: { amount: 10 } }],
  ]);
});

test("a task that fails is tried as often as it says, later tasks do not run, and what was done is undone", async () => {
  const { told, ways, tasks } = await dry(
    `
workflow:
  tasks:
    - {id: book, type: noop, compensate_with: cancel, parameters: {output: 1}}
    - {id: pay, type: http, depends_on: [book], parameters: {url: "http://pay.example/"},
       retry_policy: {max_retries: 2, initial_delay: 10s, backoff_type: fixed}}
    - {id: cancel, type: http, parameters: {url: "http://book.example/"}}
    - {id: mail, type: noop, depends_on: [pay]}
`,
    { pay: { ok: false, error: { type: "DOWN", message: "it is down" } } },
  );
  expect(told).toEqual([": FAILED"]);
  expect(ways[0]?.error).toMatchObject({ type: "DOWN", task: "pay" });
  expect(ways[0]?.durationMs).toBe(20_000);
  expect(tasks.map(({ id, mostCalls }) => [id, mostCalls])).toEqual([
    ["book", 1],
    ["pay", 3],
    ["cancel", 1],
  ]);
});

describe("what is not known", () => {
  test("passes through tasks and text, and an expression that does not look at it is known", async () => {
    const { ways, told } = await dry(`
workflow:
  tasks:
    - {id: a, type: worker, parameters: {handler: h}}
    - {id: b, type: transform, depends_on: [a], parameters: {output: "\${a.output}"}}
    - {id: c, type: transform, depends_on: [a], parameters: {output: "\${a.state}"}}
    - {id: d, type: http, depends_on: [b], parameters: {url: "http://x.example/\${b.output.id}"}}
    - {id: e, type: condition, depends_on: [c], condition: "\${c.output == 'COMPLETED'}", on_success: [f]}
    - {id: f, type: noop}
`);
    expect(told).toEqual([": COMPLETED"]);
    expect(ways[0]?.calls.map(({ id, input }) => [id, input])).toContainEqual(["d", {}]);
    expect([...(ways[0]?.reached ?? [])]).toContain("f");
  });

  test("stands for one item of a map, and for no time of a wait, which is said", async () => {
    const { ways } = await dry(`
workflow:
  tasks:
    - {id: list, type: http, parameters: {url: "http://x.example/"}}
    - {id: each, type: map, depends_on: [list], parameters: {items: "\${list.output.rows}",
       task: {type: http, parameters: {url: "http://y.example/\${item}"}}}}
    - {id: rest, type: wait, depends_on: [list], parameters: {duration: "\${list.output.pause}"}}
`);
    expect(ways.map(({ end }) => end)).toEqual(["COMPLETED"]);
    expect(ways[0]?.assumptions.map(({ place }) => place)).toEqual(["each", "rest"]);
    expect(ways[0]?.calls.map(({ path }) => path)).toEqual(["list", "each.0"]);
  });
});

describe("what is known of the form of a result", () => {
  const sorted = (schema: string, condition: string): string => `
workflow:
  tasks:
    - {id: sort, type: ai, parameters: {prompt: p, response_format: {type: json, schema: ${schema}}}}
    - {id: is, type: condition, depends_on: [sort], condition: "\${${condition}}", on_success: [yes], on_failure: [no]}
    - {id: "yes", type: noop}
    - {id: "no", type: noop}
`;
  const TOPICS = "kind: {const: mail}, topic: {enum: [billing, other]}, more: {type: string}";
  const INNER = "inner: {type: object, required: [one], properties: {one: {enum: [1]}}}";
  const REQUIRED = "required: [kind, topic, inner]";
  const SCHEMA = `{type: object, ${REQUIRED}, additionalProperties: false, properties: {${TOPICS}, ${INNER}}}`;
  const BOTH = ["condition is true: COMPLETED", "condition is false: COMPLETED"];

  test.each([
    ["a constant", "sort.output.content.kind == 'mail'", [": COMPLETED"]],
    ["the only value of an enum, inside", "sort.output.content.inner.one > 0", [": COMPLETED"]],
    ["that a required field is there", "has(sort.output.content.topic)", [": COMPLETED"]],
    ["that there is no other field", "!has(sort.output.content.price)", [": COMPLETED"]],
    ["that an object is no text", "sort.output.content == 'mail'", [": COMPLETED"]],
    ["not: which of several values", "sort.output.content.topic == 'billing'", BOTH],
    ["not: a field that may be missing", "has(sort.output.content.more)", BOTH],
    ["not: equality with null of a value", "sort.output.content.topic == null", BOTH],
    ["not: the size of an object", "size(sort.output.content) > 3", BOTH],
  ])("%s", async (_, condition, ways) => {
    expect((await dry(sorted(SCHEMA, condition))).told).toEqual(ways);
  });

  test("a value that may have any form decides nothing by the form that it happens to have here", async () => {
    for (const condition of ["sort.output.content == null", "sort.output.content == 'x'", "sort.output.content == 1"])
      expect((await dry(sorted("{}", condition))).told).toEqual(BOTH);
    expect(
      (await dry(sorted("{$ref: '#/$defs/a', const: 1, $defs: {a: {}}}", "sort.output.content == 1"))).told,
    ).toEqual(BOTH);
  });

  test("data of signals and of approvals have the form that is declared", async () => {
    const { told } = await dry(`
workflow:
  signals: {paid: {schema: {type: object, required: [by], properties: {by: {const: card}}}}}
  tasks:
    - {id: paid, type: signal}
    - {id: ask, type: approval, parameters: {form: {type: object, required: [why], properties: {why: {const: ok}}}}}
    - {id: is, type: condition, depends_on: [paid, ask], on_success: [yes],
       condition: "\${paid.output.by == 'card' && ask.output.data.why == 'ok'}"}
    - {id: "yes", type: noop}
`);
    expect(told).toEqual(["approval ask approved: COMPLETED", "approval ask rejected: FAILED"]);
  });
});

test("results are given by the ids of states, and of children of a group", async () => {
  const state = await dry(
    `
workflow:
  initial: look
  states:
    - {id: look, task: {type: http, parameters: {url: "http://x.example/"}},
       transitions: [{when: "\${look.output.ok}", to: good}, {to: bad}]}
    - {id: good, final: completed}
    - {id: bad, final: failed}
`,
    { look: gives({ ok: true }) },
  );
  expect(state.told).toEqual([": COMPLETED"]);
  const group = await dry(
    `
workflow:
  tasks:
    - {id: both, type: parallel, parameters: {tasks: [{type: noop}, {type: http, parameters: {url: "http://x.example/"}}]}}
    - {id: is, type: condition, depends_on: [both], condition: "\${both.outputs[1] > 3}", on_success: [yes]}
    - {id: "yes", type: noop}
`,
    { "both.1": gives(4) },
  );
  expect(group.told).toEqual([": COMPLETED"]);
  await expect(dry(INVOICE, { "fetch.0": gives(1) })).rejects.toThrow("results.fetch.0: the flow has no such task");
});

test("all that a state may do next is followed: transitions, signals, and time", async () => {
  const { told } = await dry(`
workflow:
  initial: look
  states:
    - id: look
      task: {type: http, parameters: {url: "http://x.example/"}}
      transitions:
        - {when: "\${look.output.ok}", to: good}
        - {to: wait}
    - id: wait
      on: [{signal: go, to: good}]
      after: [{delay: 2h, to: bad}]
    - {id: good, final: completed}
    - {id: bad, final: failed}
`);
  expect(told).toEqual([
    "state look to good: COMPLETED",
    "state look to wait, state wait signal go: COMPLETED",
    "state look to wait, state wait no signal: FAILED",
  ]);
});

// Cause: the way on which nobody answers in time was missing for tasks, and a page that lists every way left it out.
test("what nobody answers in time is a way of its own", async () => {
  const flow = `
workflow:
  tasks:
    - {id: told, type: signal, parameters: {name: go}, timeout: 1h}
    - {id: ask, type: approval, depends_on: [told], timeout: 1h}
`;
  expect((await dry(flow)).told).toEqual([
    "task told signal go, approval ask approved: COMPLETED",
    "task told signal go, approval ask rejected: FAILED",
    "task told signal go, approval ask nobody decides: FAILED",
    "task told no signal: FAILED",
  ]);
  const { ways } = await dry(flow, { told: gives(1) });
  expect(ways.map(({ error }) => error?.type)).toEqual([undefined, "APPROVAL_REJECTED", "APPROVAL_TIMEOUT"]);
});

test("a run waits where its budget is surely used up", async () => {
  const { ways } = await dry(`
workflow:
  budget: {max_steps: 2}
  tasks:
    - {id: a, type: noop}
    - {id: b, type: noop, depends_on: [a]}
    - {id: c, type: noop, depends_on: [b]}
`);
  expect(ways).toMatchObject([{ end: "WAITING", calls: [{ path: "a" }, { path: "b" }] }]);
  expect(ways[0]?.assumptions).toEqual([
    { place: "budget", what: "the run waits before c until its budget is raised: max_steps is 2" },
  ]);
});

test("models that are asked if the first one fails are reached, too", async () => {
  const fallback = "[{provider: other, model: z, on: [TIMEOUT]}, {model: y, on: [TIMEOUT]}]";
  const { targets } = await dry(`
workflow:
  tasks: [{id: q, type: ai, parameters: {provider: local, model: small, prompt: hi, fallback: ${fallback}}}]
`);
  expect(targets.map(({ kind, name }) => `${kind} ${name}`)).toEqual([
    "model local/small",
    "model other/z",
    "model local/y",
  ]);
});

test("a loop that nothing ends is cut, and says so", async () => {
  const { isCut, ways } = await dry(`
workflow:
  initial: again
  max_transitions: 1000
  states:
    - id: again
      task: {type: http, parameters: {url: "http://x.example/"}}
      transitions: [{when: "\${again.output.done}", to: end}, {to: again}]
    - {id: end, final: completed}
`);
  expect(isCut).toBe(true);
  expect(ways).toHaveLength(100);
});

test("an error of an expression that knows everything it reads is an error of the flow", async () => {
  const { ways } = await dry(`
variables: [{name: n, type: any, default: text}]
workflow:
  tasks: [{id: a, type: transform, parameters: {output: "\${n * 2}"}}]
`);
  expect(ways[0]).toMatchObject({ end: "FAILED", error: { type: "EXPRESSION_FAILED", task: "a" } });
});

test("a flow of costly loops ends within its bounds, and leaves the event loop meanwhile", async () => {
  let turns = 0;
  const beat = setInterval(() => (turns += 1), 1);
  const { ways } = await dry(`
variables: [{name: stop, type: boolean, default: false}]
workflow:
  initial: again
  max_transitions: 100000
  states:
    - id: again
      task: {type: transform, parameters: {output: "\${lists.range(150).map(x, lists.range(150).exists(y, x + y < 0)).size()}"}}
      transitions: [{when: "\${stop}", to: end}, {to: again}]
    - {id: end, final: completed}
`);
  clearInterval(beat);
  expect(ways[0]?.end).toBe("UNFINISHED");
  expect(turns).toBeGreaterThan(0);
});

test("a dry run that nobody waits for ends", async () => {
  const document = { id: "f", version: "1", ...(parse(INVOICE) as JsonObject) };
  const { plan } = await compileFlow({ document });
  const request = { plan, document, input: {}, mocks: new Map(), estimates: NO_MODELS, now: 0 };
  await expect(dryRun({ ...request, signal: AbortSignal.abort(new Error("gone")) })).rejects.toThrow("gone");
});

test("a child run is planned with its budget; one that is no budget fails the task", async () => {
  const text = (tokens: string): string => `
variables: [{name: tokens, type: number, default: 1000}]
workflow:
  tasks: [{id: kid, type: subflow, parameters: {flow_id: kid, budget: {max_tokens: "\${${tokens}}", max_time: 5m}}}]`;
  const { ways } = await dry(text("int(vars.tokens * 0.9)"));
  expect(ways[0]?.calls).toMatchObject([{ path: "kid", input: { budget: { max_tokens: 900, max_time: "5m" } } }]);
  const refused = await dry(text("vars.tokens * 0.9001"));
  expect(refused.ways).toMatchObject([
    { end: "FAILED", calls: [], error: { message: expect.stringContaining("budget.max_tokens") } },
  ]);
});
