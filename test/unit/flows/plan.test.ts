import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { JsonObject } from "../../../src/base/json/json.ts";
import { compileFlow, compileStored, drawFlow } from "../../../src/flows/compile.ts";
import type { DagPlan, FsmPlan, Plan } from "../../../src/flows/plan.ts";
import { scopeWith } from "./scope.ts";

const example = readFileSync(new URL("../../../examples/invoice-approval.yaml", import.meta.url), "utf8");

async function dag(tasks: readonly JsonObject[], workflow: JsonObject = {}): Promise<DagPlan> {
  const { plan } = await compileFlow({ document: { id: "f", workflow: { ...workflow, tasks } } });
  if (plan.kind !== "dag") throw new Error("not a DAG");
  return plan;
}

const task = (id: string, more: JsonObject = {}): JsonObject => ({ id, type: "noop", ...more });

/** `id: dependencies | gates` of every task. */
function shape(plan: DagPlan): readonly string[] {
  const id = (index: number): string => plan.nodes[index]?.task.id ?? "?";
  return plan.nodes.map((node) => {
    const gates = node.gates.map(
      (gate) => `${id(gate.condition)}:${gate.admitsTrue ? "T" : ""}${gate.admitsFalse ? "F" : ""}`,
    );
    return `${node.task.id}: ${node.deps.map(id).join(" ")} | ${gates.join(" ")}`.trimEnd();
  });
}

describe("the plan of the design's example", () => {
  it("has its dependencies, gates, policies and compensation", async () => {
    const { plan } = await compileFlow({ text: example });
    if (plan.kind !== "dag") throw new Error("not a DAG");
    expect([plan.flowId, plan.version, plan.name, plan.timeoutMs, plan.kind]).toEqual([
      "invoice-approval",
      "1.2",
      "Invoice approval",
      3_600_000,
      "dag",
    ]);
    expect(shape(plan)).toEqual([
      "fetch:  |",
      "big: fetch |",
      "ask: big | big:T",
      "pay: ask big | big:TF",
      "refund:  |",
    ]);
    expect(plan.roots).toEqual([0]);
    expect(
      plan.nodes.map((node) => [
        node.task.type,
        node.task.effect,
        node.triggerRule,
        node.isCompensation,
        node.compensateWith,
      ]),
    ).toEqual([
      ["http", "effectful", "all_success", false, null],
      ["condition", "pure", "all_success", false, null],
      ["approval", "wait", "all_success", false, null],
      ["http", "effectful", "none_failed", false, 4],
      ["http", "effectful", "all_success", true, null],
    ]);
    expect(plan.nodes[0]?.task.retry).toEqual({
      maxRetries: 3,
      backoff: "exponential",
      initialDelayMs: 1_000,
      maxDelayMs: 30_000,
      multiplier: 2,
      nonRetryable: ["NOT_FOUND"],
    });
    expect(plan.nodes[0]?.task.timeouts).toEqual({
      startToCloseMs: 10_000,
      scheduleToStartMs: null,
      scheduleToCloseMs: null,
      heartbeatMs: null,
    });
    expect(plan.nodes[2]?.task.timeouts.startToCloseMs).toBe(86_400_000);
    const scope = scopeWith(
      { invoice_id: "i-7", billing: "https://b" },
      { fetch: { amount: 20_000 }, pay: { ok: true } },
    );
    expect(plan.nodes[0]?.task.parameters.evaluate(scope)).toEqual({
      method: "GET",
      url: "https://b/invoices/i-7",
    });
    expect(plan.nodes[1]?.task.condition?.evaluate(scope)).toBe(true);
    expect(plan.output?.evaluate(scope)).toEqual({ paid: { ok: true } });
  });

  it("is the same when it is made again from the stored document and structure", async () => {
    const { plan, document, structure } = await compileFlow({ text: example });
    const plain = (value: Plan): unknown => JSON.parse(JSON.stringify(value));
    const kept = JSON.parse(JSON.stringify({ document, structure }));
    expect(plain(compileStored(kept.document, kept.structure))).toEqual(plain(plan));
  });

  it("is drawn by LangGraph", async () => {
    const { document } = await compileFlow({ text: example });
    const text = await drawFlow(document);
    expect(text).toMatch(/^graph TD;/);
    for (const edge of [/fetch --> big/, /big -\..*true.*-> ask/, /big -\..*false.*-> pay/, /ask --> pay/])
      expect(text).toMatch(edge);
  });
});

describe("gates", () => {
  const condition = (
    id: string,
    onTrue: readonly string[],
    onFalse: readonly string[],
    more: JsonObject = {},
  ): JsonObject => ({
    id,
    type: "condition",
    condition: "${true}",
    on_success: onTrue,
    on_failure: onFalse,
    ...more,
  });

  it("admit what the side taken leads to, however far", async () => {
    const plan = await dag([
      condition("c", ["a"], ["z"]),
      task("a"),
      task("b", { depends_on: ["a"] }),
      task("z", { depends_on: ["b"] }),
      task("after", { depends_on: ["z"] }),
    ]);
    expect(shape(plan)).toEqual(["c:  |", "a: c | c:T", "b: a |", "z: b c | c:TF", "after: z |"]);
  });

  it("of several conditions all count", async () => {
    const plan = await dag([
      condition("c", ["t"], []),
      condition("d", [], ["t"]),
      task("t", { depends_on: ["x"] }),
      task("x"),
    ]);
    expect(shape(plan)[2]).toBe("t: x c d | c:T d:F");
  });

  it("admit both sides when both name the task", async () => {
    expect(shape(await dag([condition("c", ["t"], ["t"]), task("t")]))[1]).toBe("t: c | c:TF");
  });

  it("reach through other conditions", async () => {
    const plan = await dag([condition("c", ["d"], ["t"]), condition("d", ["t"], []), task("t")]);
    expect(shape(plan)).toEqual(["c:  |", "d: c | c:T", "t: c d | c:TF d:T"]);
  });

  it("keep a dependency that is a condition without naming the task ungated", async () => {
    expect(shape(await dag([condition("c", [], []), task("t", { depends_on: ["c"] })]))[1]).toBe("t: c |");
  });
});

describe("tasks", () => {
  it("get the defaults of their policies and types", async () => {
    const plan = await dag([
      task("a"),
      task("b", { retry_policy: {} }),
      task("c", { type: "http", parameters: { url: "http://x" } }),
      task("s", { type: "signal" }),
    ]);
    expect(plan.nodes.map((node) => [node.task.retry.maxRetries, node.task.timeouts.startToCloseMs])).toEqual([
      [0, null],
      [3, null],
      [0, 30_000],
      [0, null],
    ]);
    expect(plan.nodes[1]?.task.retry).toEqual({
      maxRetries: 3,
      backoff: "exponential",
      initialDelayMs: 1_000,
      maxDelayMs: 60_000,
      multiplier: 2,
      nonRetryable: [],
    });
    expect(plan.nodes[3]?.task.parameters.evaluate(scopeWith({}))).toEqual({ name: "s" });
    expect(plan.roots).toEqual([0, 1, 2, 3]);
  });

  it("of groups have their children", async () => {
    const plan = await dag([
      task("p", {
        type: "parallel",
        parameters: {
          max_concurrency: 2,
          fail_fast: true,
          tasks: [
            { type: "noop", on_error: "continue" },
            { type: "parallel", parameters: { tasks: [{ type: "transform", parameters: { output: "${index}" } }] } },
          ],
        },
      }),
      task("m", {
        type: "map",
        parameters: {
          items: "${[1, 2]}",
          task: { type: "noop", parameters: { output: "${item}" }, retry_policy: { max_retries: 1 } },
        },
      }),
    ]);
    const [p, m] = plan.nodes.map((node) => node.task);
    expect([
      p?.maxConcurrency,
      p?.failFast,
      p?.children?.map((child) => [child.id, child.type, child.onError]),
      p?.children?.[1]?.children?.[0]?.id,
    ]).toEqual([
      2,
      true,
      [
        ["p.0", "noop", "continue"],
        ["p.1", "parallel", "fail"],
      ],
      "p.1.0",
    ]);
    expect([
      m?.maxConcurrency,
      m?.failFast,
      m?.map?.child.type,
      m?.map?.child.retry.maxRetries,
      m?.map?.items.evaluate(scopeWith({})),
    ]).toEqual([50, false, "noop", 1, [1, 2]]);
    expect(m?.map?.child.parameters.evaluate(scopeWith({}, {}, { item: 9 }))).toEqual({ output: 9 });
  });

  it("in a large number compile, and a join over a thousand", async () => {
    const tasks = Array.from({ length: 1_000 }, (_, index) =>
      task(`t${index}`, index === 0 ? {} : { depends_on: ["t0"] }),
    );
    const plan = await dag([...tasks, task("join", { depends_on: tasks.map((each) => String(each["id"])) })]);
    expect([plan.nodes.length, plan.nodes[1_000]?.deps.length, plan.nodes[0]?.dependents.length]).toEqual([
      1_001, 1_000, 1_000,
    ]);
  });
});

describe("the plan of an FSM", () => {
  it("has its ways out in the order of the document", async () => {
    const { plan } = await compileFlow({
      document: {
        id: "f",
        workflow: {
          initial: "b",
          max_transitions: 7,
          compensations: [{ id: "undo", type: "noop" }],
          states: [
            {
              id: "a",
              task: { type: "noop" },
              compensate_with: "undo",
              transitions: [{ when: "${tasks.b.output == 1}", to: "b" }, { to: "end" }],
              on_error: [{ match: ["X", "Y"], to: "b" }, { to: "end" }],
            },
            {
              id: "b",
              on: [
                { signal: "go", to: "a" },
                { signal: "stop", when: "${signal.payload}", to: "end" },
              ],
              after: [
                { delay: "1m", to: "a" },
                { delay: "${vars.x}", to: "end" },
              ],
            },
            { id: "end", final: "completed" },
          ],
        },
        variables: [{ name: "x" }],
      },
    });
    const { states, initial, maxTransitions, compensations } = plan as FsmPlan;
    expect([initial, maxTransitions, compensations.map((each) => each.id)]).toEqual([1, 7, ["undo"]]);
    expect(
      states.map((state) => [
        state.transitions.map((exit) => exit.to),
        state.on.map((exit) => exit.to),
        state.after.map((exit) => exit.to),
        state.onError.map((exit) => [exit.match, exit.to]),
      ]),
    ).toEqual([
      [
        [1, 2],
        [],
        [],
        [
          [["X", "Y"], 1],
          [null, 2],
        ],
      ],
      [[], [0, 2], [0, 2], []],
      [[], [], [], []],
    ]);
    expect([
      states[0]?.compensateWith,
      states[0]?.task?.id,
      states[2]?.final,
      states[1]?.after[1]?.delay.evaluate(scopeWith({ x: 5 })),
    ]).toEqual([0, "a", "completed", 5]);
  });
});

describe("a graph flow", () => {
  it("is one task that gets the variables", async () => {
    const { plan, structure } = await compileFlow({
      document: { id: "g", workflow: { graph: "research" }, variables: [{ name: "q" }] },
    });
    expect([plan.kind, plan.kind === "graph" && plan.task.type, structure.nodes]).toEqual(["graph", "graph", []]);
    expect(plan.kind === "graph" && plan.task.parameters.evaluate(scopeWith({ q: "why" }))).toEqual({
      input: { q: "why" },
    });
  });
});

describe("identity", () => {
  const hash = async (source: { text: string } | { document: JsonObject }): Promise<string> =>
    (await compileFlow(source)).plan.hash;

  it("is that of the content: order of keys, comments and notation do not count", async () => {
    const first = await hash({ text: "id: a\nversion: '1'\nworkflow: {tasks: [{id: x, type: noop, timeout: 10}]}\n" });
    expect(first).toMatch(/^[0-9a-f]{64}$/);
    expect(
      await hash({
        text: '# comment\nworkflow:\n  tasks:\n    - type: noop\n      id: x\n      timeout: 10.0\nversion: "1"\nid: a\n',
      }),
    ).toBe(first);
    expect(
      await hash({
        document: { workflow: { tasks: [{ id: "x", timeout: 10, type: "noop" }] }, version: "1", id: "a" },
      }),
    ).toBe(first);
  });

  it("is taken before defaults: a default that is written is another content", async () => {
    const base = { id: "a", version: "1", workflow: { tasks: [{ id: "x", type: "noop" }] } };
    const written = {
      id: "a",
      version: "1",
      workflow: { tasks: [{ id: "x", type: "noop", trigger_rule: "all_success" }] },
    };
    expect(await hash({ document: base })).not.toBe(await hash({ document: written }));
  });

  it("gives flows without version one that follows the content", async () => {
    const plan = async (timeout: number): Promise<Plan> =>
      (await compileFlow({ document: { id: "a", workflow: { timeout, tasks: [{ id: "x", type: "noop" }] } } })).plan;
    const [one, same, other] = [await plan(1), await plan(1), await plan(2)];
    expect(one.version).toBe(`sha-${one.hash.slice(0, 12)}`);
    expect([same.version === one.version, other.version === one.version]).toEqual([true, false]);
  });
});

describe("the plan of a graph flow", () => {
  const graph = async (rest: object) => {
    const { plan } = await compileFlow({ document: { id: "f", workflow: { graph: "review", ...rest } } });
    if (plan.kind !== "graph") throw new Error("not a graph");
    return [plan.task.timeouts.startToCloseMs, plan.task.retry.maxRetries, plan.task.retry.initialDelayMs];
  };

  it("has the timeout and the retries of its flow, else three retries and no timeout of its own", async () => {
    expect(await graph({})).toEqual([null, 3, 1_000]);
    expect(await graph({ attempt_timeout: "2m", retry_policy: { max_retries: 0, initial_delay: 5 } })).toEqual([
      120_000, 0, 5_000,
    ]);
  });

  it("has no key that goes with tasks, and tasks none of its", async () => {
    await expect(graph({ fail_fast: true })).rejects.toThrow(/fail_fast is only allowed with tasks/);
    const tasks = [task("a", { type: "noop" })];
    await expect(compileFlow({ document: { id: "f", workflow: { attempt_timeout: 5, tasks } } })).rejects.toThrow(
      /attempt_timeout is only allowed with graph; this flow has tasks/,
    );
  });
});
