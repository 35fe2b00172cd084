/** Dry runs of flows: ways, choices, and what is not known. */
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import type { Json, JsonObject } from "../../../../src/base/json/json.ts";
import { dryRun } from "../../../../src/engine/dry-run/dry-run.ts";
import type { Mock } from "../../../../src/engine/dry-run/play.ts";
import { compileFlow } from "../../../../src/flows/compile.ts";

async function dry(text: string, mocks: Readonly<Record<string, Mock>> = {}, input: JsonObject = {}) {
  const document = { id: "f", version: "1", ...(parse(text) as JsonObject) };
  const { plan } = await compileFlow({ document });
  const report = await dryRun({ plan, document, input, mocks: new Map(Object.entries(mocks)), now: 1_000_000 });
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
  const request = { plan, document, input: {}, mocks: new Map(), now: 0 };
  await expect(dryRun({ ...request, signal: AbortSignal.abort(new Error("gone")) })).rejects.toThrow("gone");
});
