/** The flows of the campaign: between them they use every durable thing that a run can do. */
import type { Json, JsonObject } from "../../../src/base/json/json.ts";

/** A kind of run. */
export type FlowKind =
  | "steps"
  | "fan"
  | "nap"
  | "ask"
  | "gate"
  | "spread"
  | "family"
  | "machine"
  | "undo"
  | "tell"
  | "dead"
  | "stop"
  | "everything";

/** What a user does with a run of a kind, and how it must end. */
export interface FlowPlan {
  readonly flow: JsonObject;
  readonly ends: "COMPLETED" | "FAILED" | "CANCELED";
  /** Output of a run with input n; absent: not looked at. */
  readonly output?: (n: number) => Json;
  /** Signals to send, in order; the text "n" in a payload stands for the input. */
  readonly signals?: readonly { readonly name: string; readonly payload: Json }[];
  /** Task that asks for an approval. */
  readonly approves?: string;
  readonly cancels?: boolean;
}

/** All kinds, with `url` as the tool. */
export function createFlows(url: string): Readonly<Record<FlowKind, FlowPlan>> {
  const call = (step: string, more: JsonObject = {}, order: JsonObject = {}): JsonObject => ({
    id: step,
    type: "http",
    timeout: "10s",
    retry_policy: { max_retries: 4, backoff_type: "fixed", initial_delay: "40ms" },
    parameters: { url, method: "POST", body: { n: "${n}", step, ...order } },
    ...more,
  });
  const after = (...ids: string[]): JsonObject => ({ depends_on: ids });
  const dag = (id: string, tasks: JsonObject[], more: JsonObject = {}): JsonObject => ({
    id,
    name: id,
    version: "1",
    variables: [{ name: "n", type: "integer", required: true }],
    workflow: { tasks, ...more },
  });
  const said = (step: string) => (n: number) => ({ [step]: { n, step } });
  return {
    steps: {
      flow: dag("steps", [call("a"), call("b", after("a")), call("c", after("b"))]),
      ends: "COMPLETED",
      output: said("c"),
    },
    fan: {
      flow: dag("fan", [
        call("a"),
        call("b", after("a")),
        call("c", after("a"), { fail: 2 }),
        call("d", after("a"), { fail: 1 }),
        call("e", after("b", "c", "d")),
      ]),
      ends: "COMPLETED",
      output: said("e"),
    },
    nap: {
      flow: dag("nap", [
        call("a"),
        { id: "w", type: "wait", ...after("a"), parameters: { duration: "400ms" } },
        call("b", after("w")),
      ]),
      ends: "COMPLETED",
      output: said("b"),
    },
    ask: {
      flow: dag("ask", [
        call("a"),
        { id: "ok", type: "approval", ...after("a"), parameters: { title: "n is ${n}" } },
        call("b", after("ok")),
      ]),
      ends: "COMPLETED",
      output: said("b"),
      approves: "ok",
    },
    gate: {
      flow: dag("gate", [
        { id: "s", type: "signal", parameters: { name: "go" } },
        call("b", after("s")),
        { id: "t", type: "signal", ...after("b"), parameters: { name: "on" } },
      ]),
      ends: "COMPLETED",
      output: (n) => ({ t: { on: n } }),
      signals: [
        { name: "go", payload: 1 },
        { name: "on", payload: { on: "n" } },
      ],
    },
    spread: {
      flow: dag("spread", [
        {
          id: "m",
          type: "map",
          parameters: {
            items: "${[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]}",
            max_concurrency: 4,
            task: {
              type: "http",
              timeout: "10s",
              retry_policy: { max_retries: 3, backoff_type: "fixed", initial_delay: "30ms" },
              parameters: { url, method: "POST", body: { n: "${item}", step: "item", fail: "${item == 3 ? 1 : 0}" } },
            },
          },
        },
        call("b", after("m")),
      ]),
      ends: "COMPLETED",
      output: said("b"),
    },
    family: {
      flow: dag("family", [
        { id: "p", type: "subflow", parameters: { flow_id: "steps", input: { n: "${n}" } } },
        call("b", after("p")),
      ]),
      ends: "COMPLETED",
      output: said("b"),
    },
    machine: {
      flow: {
        id: "machine",
        name: "machine",
        version: "1",
        variables: [{ name: "n", type: "integer", required: true }],
        workflow: {
          initial: "begin",
          states: [
            { id: "begin", after: [{ delay: "150ms", to: "idle" }] },
            {
              id: "idle",
              on: [
                { signal: "go", when: "${signal.payload.last}", to: "done" },
                { signal: "go", to: "work" },
              ],
            },
            { id: "work", task: without(call("work"), "id"), transitions: [{ to: "idle" }] },
            { id: "done", final: "completed" },
          ],
        },
      },
      ends: "COMPLETED",
      signals: [
        { name: "go", payload: { last: false } },
        { name: "go", payload: { last: false } },
        { name: "go", payload: { last: true } },
      ],
    },
    undo: {
      flow: dag("undo", [
        call("a", { compensate_with: "undo_a" }),
        call("b", { ...after("a"), compensate_with: "undo_b" }),
        call("c", after("b"), { status: 422 }),
        call("undo_a"),
        call("undo_b", {}, { fail: 1 }),
      ]),
      ends: "FAILED",
    },
    tell: {
      flow: dag("tell", [
        call("a"),
        { id: "e", type: "emit", ...after("a"), parameters: { topic: "told", payload: { n: "${n}" } } },
        call("b", after("e")),
      ]),
      ends: "COMPLETED",
      output: said("b"),
    },
    dead: {
      flow: dag("dead", [
        call("a", { retry_policy: { max_retries: 1, backoff_type: "fixed", initial_delay: "30ms" } }, { status: 503 }),
      ]),
      ends: "FAILED",
    },
    stop: {
      flow: dag("stop", [call("a"), { id: "s", type: "signal", ...after("a"), parameters: { name: "never" } }]),
      ends: "CANCELED",
      cancels: true,
    },
    everything: {
      flow: everything(dag, call, after),
      ends: "COMPLETED",
      output: (n) => ({ big: n > 100, said: { n, step: "last" }, child: { n, step: "c" }, by: n }),
      signals: [{ name: "go", payload: "n" }],
      approves: "ok",
    },
  };
}

function everything(
  dag: (id: string, tasks: JsonObject[], more: JsonObject) => JsonObject,
  call: (step: string, more?: JsonObject, order?: JsonObject) => JsonObject,
  after: (...ids: string[]) => JsonObject,
): JsonObject {
  return dag(
    "everything",
    [
      call("a", {}, { fail: 1 }),
      {
        id: "big",
        type: "condition",
        ...after("a"),
        condition: "${n > 100}",
        on_success: ["large"],
        on_failure: ["small"],
      },
      call("large"),
      call("small"),
      {
        id: "both",
        type: "parallel",
        depends_on: ["large", "small"],
        trigger_rule: "none_failed",
        parameters: { tasks: [without(call("left"), "id"), without(call("right", {}, { fail: 2 }), "id")] },
      },
      { id: "w", type: "wait", ...after("both"), parameters: { duration: "300ms" } },
      { id: "p", type: "subflow", ...after("both"), parameters: { flow_id: "steps", input: { n: "${n}" } } },
      { id: "s", type: "signal", ...after("both"), parameters: { name: "go" } },
      { id: "ok", type: "approval", ...after("w", "p", "s"), parameters: { title: "Go on with ${n}?" } },
      { id: "e", type: "emit", ...after("ok"), parameters: { topic: "told", payload: { n: "${n}" } } },
      call("last", after("e")),
    ],
    {
      output: { big: "${big.output.result}", said: "${last.output}", child: "${p.output.c}", by: "${s.output}" },
    },
  );
}

function without(object: JsonObject, key: string): JsonObject {
  const { [key]: _, ...rest } = object;
  return rest;
}
