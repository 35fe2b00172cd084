/** Goals over every protocol, and over the paths of the merged goal service, behind a check. */
import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { openGrpcClient } from "../../src/api/client/grpc-client.ts";
import { fail } from "../../src/base/errors.ts";
import type { CheckedGoal, GoalCheck } from "../../src/engine/ports/gate/goal-check.ts";
import { GoalStatus } from "../../src/gen/orchestrator/v1/goal_pb.ts";
import { GoalService } from "../../src/gen/orchestrator/v1/goal_service_pb.ts";
import { eventually } from "../support/eventually.ts";
import { openClients, type ProtocolClient } from "./support/clients.ts";
import { startApi, type TestApi } from "./support/start-api.ts";

const PROTOCOLS = ["grpc", "grpc-web", "connect json", "connect proto", "rest"];

let tested: TestApi;
let clients: ReadonlyMap<string, ProtocolClient>;
let reflex: GoalCheck["reflex"] = "available";
/** What the check says of every goal; null: it depends on the goal. */
let answer: "deny" | "away" | null = null;
const checked: CheckedGoal[] = [];

const goalCheck: GoalCheck = {
  get reflex() {
    return reflex;
  },
  async check(goal) {
    checked.push(goal);
    if (answer === "deny") return { verdict: "deny", rule: "pii.email", reason: "PII detected in input" };
    if (answer === "away" || goal.text.includes("away"))
      fail("SAFETY_CHECK_UNAVAILABLE", { problem: "Reflex does not answer" });
    if (!goal.text.includes("@")) return { verdict: "allow" };
    return { verdict: "deny", rule: "pii.email", reason: "PII detected in input" };
  },
};

beforeAll(async () => {
  tested = await startApi({}, { goalCheck });
  clients = new Map(openClients(tested.address).map((client) => [client.name, client]));
});

afterAll(async () => {
  for (const client of clients.values()) client.close();
  await tested.api.close(100);
});

const { submitGoal, getGoal, watchGoal } = GoalService.method;

describe.each(PROTOCOLS)("%s", (protocol) => {
  const client = () => clients.get(protocol) as ProtocolClient;

  test("a goal is checked with its user and context, and stored; the same request id is the same goal", async () => {
    const goalId = randomUUID();
    const request = {
      ...{ goal: "count the reviews", goalId, requestId: `goal-${goalId}` },
      ...{ constraints: ["no names"], acceptanceCriteria: ["a number"] },
      contextValue: { case: "contextJson" as const, value: Buffer.from('{"user_id":"u1","at":7}') },
    };
    const first = await client().ask(submitGoal, request);
    expect(first).toMatchObject({
      json: {
        goal: {
          ...{ goalId, goal: "count the reviews", priority: "GOAL_PRIORITY_MEDIUM", context: { user_id: "u1", at: 7 } },
          budget: { maxCostMicros: "1000000", maxTime: "600s", maxTokens: "10000" },
        },
      },
    });
    const conditions = ["no names", "a number"];
    expect(checked.at(-1)).toMatchObject({ userId: "u1", context: { at: 7 }, tenantId: "default", conditions });
    expect(tested.engine.states.get(goalId)?.facts).toMatchObject({ userId: "u1", context: { at: 7 } });
    expect(await client().ask(submitGoal, request)).toEqual(first);
    expect(await client().ask(submitGoal, { ...request, goal: "another" })).toMatchObject({
      reason: "REQUEST_ID_REUSED",
    });
    expect(await client().ask(getGoal, { goalId })).toMatchObject({ ok: true });
  });

  test("a goal that is refused, or cannot be checked, is not stored", async () => {
    const before = tested.engine.states.size;
    expect(await client().ask(submitGoal, { goal: "write to a@b.example" })).toMatchObject({
      ...{ code: 7, reason: "GOAL_REFUSED", message: "Safety check failed: PII detected in input" },
      metadata: { rule: "pii.email", reason: "PII detected in input" },
    });
    expect(await client().ask(submitGoal, { goal: "away" })).toMatchObject({
      ...{ code: 14, reason: "SAFETY_CHECK_UNAVAILABLE", metadata: { repeat: "SAME_REQUEST" } },
    });
    expect(tested.engine.states.size).toBe(before);
  });

  test("a run that is no goal is not found, whatever it is", async () => {
    const { state } = (
      await tested.engine.startRun(
        { tenantId: "default", actor: "" },
        {
          ...{ flowId: "f", version: "", input: {}, requestId: "", requestHash: "", runId: randomUUID() },
          ...{ fromMessage: false, refusal: null, runKey: "", runKeyPolicy: "reject", labels: {}, userId: "" },
          ...{ correlationId: "", context: null, runTimeoutMs: null, startDelayMs: 0, signals: [] },
        },
        0,
      )
    ).run;
    for (const goalId of [state.runId, randomUUID(), "no id"])
      expect(await client().ask(getGoal, { goalId })).toMatchObject({ code: 5, reason: "GOAL_NOT_FOUND" });
  });
});

test("a goal that is stored is answered as it is, whatever the check would say of it now", async () => {
  const client = clients.get("grpc") as ProtocolClient;
  const request = { goal: "count the reviews", requestId: "kept" };
  const first = await client.ask(submitGoal, request);
  // Cause: a repeated call heard the verdict of a policy, or of a Reflex, that the goal was stored without.
  for (const said of ["deny", "away"] as const) {
    answer = said;
    expect(await client.ask(submitGoal, request)).toEqual(first);
    expect(await client.ask(submitGoal, { ...request, goal: "another" })).toMatchObject({
      reason: "REQUEST_ID_REUSED",
    });
    expect(await client.ask(submitGoal, { ...request, requestId: "new" })).toMatchObject({ ok: false });
  }
  answer = null;
});

test("a watch shows a goal each time that its status changes, and ends with it", async () => {
  const client = openGrpcClient({ address: tested.address });
  onTestFinished(() => client.close());
  const goalId = randomUUID();
  await client.call(submitGoal, { goal: "count the reviews", goalId });
  const statuses: GoalStatus[] = [];
  const watching = (async () => {
    for await (const { frame } of client.stream(watchGoal, { goalId })) {
      if (frame.case !== "goal") continue;
      expect(frame.value).toMatchObject({ goalId, goal: "count the reviews" });
      statuses.push(frame.value.status);
    }
  })();
  const shows = (...expected: GoalStatus[]) => eventually(async () => expect(statuses).toEqual(expected));
  await shows(GoalStatus.PENDING);
  const at = 1_700_000_100_000;
  tested.engine.push(goalId, { type: "run.opened", at });
  await shows(GoalStatus.PENDING, GoalStatus.PROCESSING);
  // A hold is no status of a goal.
  tested.engine.push(goalId, { type: "run.held", at, hold: "operator", by: "", why: "" });
  tested.engine.push(goalId, { type: "run.completed", at, output: null });
  await watching;
  expect(statuses).toEqual([GoalStatus.PENDING, GoalStatus.PROCESSING, GoalStatus.COMPLETED]);
});

test("a watch of what is no goal ends with GOAL_NOT_FOUND", async () => {
  const client = openGrpcClient({ address: tested.address });
  onTestFinished(() => client.close());
  const read = async () => {
    for await (const _ of client.stream(watchGoal, { goalId: randomUUID() })) expect.unreachable("there is no goal");
  };
  await expect(read()).rejects.toMatchObject({ code: "GOAL_NOT_FOUND" });
});

test.each([
  [{ goal: "" }, ["goal"]],
  [{ goal: "x", priority: 9 as never }, ["priority"]],
  [{ goal: "x", constraints: Array(101).fill("c") }, ["constraints"]],
  [{ goal: "x", budget: { maxTokens: -1n } }, ["budget.max_tokens"]],
  [{ goal: "x", goalId: "A" }, ["goal_id"]],
])("%o is refused by the names of its fields", async (request, fields) => {
  const answer = await (clients.get("grpc") as ProtocolClient).ask(submitGoal, request);
  expect(answer).toMatchObject({ reason: "INVALID_REQUEST" });
  expect(answer.ok ? [] : answer.violations.map(({ field }) => field)).toEqual(fields);
});

test("a criterion that is an expression is compiled before anything is stored, at every path", async () => {
  const before = tested.engine.states.size;
  const acceptanceCriteria = ["fine", "cel: result >"];
  const answer = await (clients.get("grpc") as ProtocolClient).ask(submitGoal, { goal: "x", acceptanceCriteria });
  expect(answer).toMatchObject({
    reason: "INVALID_REQUEST",
    violations: [
      { field: "acceptance_criteria[1]", description: expect.stringMatching(/cannot be read.*result and goal/) },
    ],
  });
  const response = await fetch(`http://${tested.address}/submit`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ goal: "x", acceptance_criteria: acceptanceCriteria }),
  });
  expect(response.status).toBe(422);
  expect(await response.json()).toEqual({
    detail: [
      { loc: ["body", "acceptance_criteria", 1], msg: expect.stringMatching(/cannot be read/), type: "value_error" },
    ],
  });
  expect(tested.engine.states.size).toBe(before);
});

test("the paths of the merged service answer in its words", async () => {
  const ask = async (path: string, body?: object) => {
    const init =
      body === undefined
        ? {}
        : { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
    const response = await fetch(`http://${tested.address}${path}`, init);
    return [response.status, await response.json()];
  };
  expect(await ask("/submit", { goal: "write to a@b.example" })).toEqual([
    403,
    { detail: "Safety check failed: PII detected in input" },
  ]);
  expect(await ask("/submit", { goal: "away" })).toEqual([
    503,
    { detail: "the goal cannot be checked: Reflex does not answer; nothing is stored" },
  ]);
  expect(await ask("/ready")).toEqual([200, { status: "ready", database: "connected", reflex_layer: "available" }]);
  reflex = "unavailable";
  expect(await ask("/ready")).toEqual([
    503,
    { status: "not_ready", database: "connected", reflex_layer: "unavailable" },
  ]);
  reflex = "disabled";
  tested.health.setDependency("database", false);
  expect(await ask("/ready")).toEqual([
    503,
    { status: "not_ready", database: "disconnected", reflex_layer: "disabled" },
  ]);
  tested.health.setDependency("database", true);
  expect(await ask(`/tasks/${randomUUID()}`)).toEqual([404, { detail: "Task not found" }]);
});
