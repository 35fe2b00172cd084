/** Decisions of people over every protocol, on the real engine and store. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { encodeActor } from "../../src/api/calls/caller.ts";
import { ApprovalService } from "../../src/gen/orchestrator/v1/approval_service_pb.ts";
import { FlowService } from "../../src/gen/orchestrator/v1/flow_service_pb.ts";
import { RunService } from "../../src/gen/orchestrator/v1/run_service_pb.ts";
import { openTestService, type TestService } from "../clients/service.ts";
import { eventually } from "../support/eventually.ts";
import { type Answer, openClients, type ProtocolClient } from "./support/clients.ts";

const FORM = `{type: object, required: [reason], properties: {reason: {type: string, minLength: 3}, n: {type: integer, maximum: 5}}}`;

const FLOWS = [
  `id: two-questions
version: "1"
workflow:
  tasks:
    - {id: one, type: approval, timeout: 1h, parameters: {title: "One?"}}
    - {id: two, type: approval, depends_on: [one], timeout: 1h, parameters: {title: "Two?"}}
`,
  `id: expires
version: "1"
workflow:
  tasks:
    - {id: ask, type: approval, timeout: 50ms, on_reject: continue, parameters: {title: "Quick?"}}
    - {id: keep, type: signal, timeout: 1h}
`,
  `id: with-form
version: "1"
variables: [{name: most, type: integer, default: 5}]
workflow:
  tasks:
    - {id: fixed, type: approval, on_reject: continue, timeout: 1h, parameters: {form: ${FORM}}}
    - {id: computed, type: approval, timeout: 1h, parameters: {form: {type: object, properties: {n: {type: integer, maximum: "\${vars.most}"}}}}}
`,
  `id: asks-again
version: "1"
workflow:
  states:
    - id: ask
      task: {type: approval, timeout: 1h, on_reject: continue, parameters: {title: "Again?"}}
      transitions: [{when: "\${ask.output.approved}", to: done}, {to: ask}]
    - {id: done, final: completed}
`,
  `id: asks-each
version: "1"
workflow:
  tasks:
    - {id: each, type: map, parameters: {items: [1, 2], task: {type: approval, timeout: 1h, parameters: {title: "Item?"}}}}
`,
  `id: declared-signal
version: "1"
workflow:
  signals:
    paid: {schema: {type: object, required: [amount], properties: {amount: {type: number, exclusiveMinimum: 0}}}}
  tasks:
    - {id: wait, type: signal, timeout: 1h, parameters: {name: paid}}
`,
];

let service: TestService;
let clients: readonly ProtocolClient[];

beforeAll(async () => {
  service = await openTestService();
  clients = openClients(service.address);
  for (const value of FLOWS)
    jsonOf(await clientOf("grpc").ask(FlowService.method.registerFlow, { definition: { case: "source", value } }));
}, 90_000);

afterAll(async () => {
  for (const client of clients) client.close();
  await service.close();
});

function clientOf(name: string): ProtocolClient {
  return clients.find((client) => client.name === name) ?? expect.unreachable(`no client ${name}`);
}

// biome-ignore lint/suspicious/noExplicitAny: answers of five protocols in their one JSON form
function jsonOf(answer: Answer): any {
  if (!answer.ok) throw new Error(`${answer.reason}: ${answer.message}`);
  return answer.json;
}

function refusalOf(answer: Answer): Extract<Answer, { ok: false }> {
  return answer.ok ? expect.unreachable(JSON.stringify(answer.json)) : answer;
}

describe.each(["grpc", "grpc-web", "connect json", "connect proto", "rest"])("%s", (name) => {
  const ask: ProtocolClient["ask"] = (method, init, options) => clientOf(name).ask(method, init, options);
  const by = (actor: string) => ({ headers: { "x-orchestrator-actor": encodeActor(actor) } });
  const start = async (flowId: string): Promise<string> =>
    jsonOf(await ask(RunService.method.startRun, { flowId, wait: { seconds: 0n, nanos: 300_000_000 } })).run.runId;
  const list = async (runId: string) =>
    (jsonOf(await ask(ApprovalService.method.listApprovals, { filter: `run_id == "${runId}"` })).approvals ?? []) as {
      approvalId: string;
      taskId: string;
      state: string;
    }[];
  const get = async (runId: string, approvalId: string) =>
    jsonOf(await ask(ApprovalService.method.getApproval, { runId, approvalId })).approval;
  const { decideApproval } = ApprovalService.method;
  const data = (value: object) => ({ case: "dataJson" as const, value: Buffer.from(JSON.stringify(value)) });

  // Cause: how an approval had ended was derived from its comment, in three places.
  test("an approval with the comment `expired` is approved, in lists, reads and events alike", async () => {
    const runId = await start("two-questions");
    const [asked] = await list(runId);
    const approvalId = asked?.approvalId ?? "";
    const decision = { runId, approvalId, decision: 1 as const, comment: "expired" };
    expect(jsonOf(await ask(decideApproval, decision, by("Zoë"))).approval).toMatchObject({
      state: "APPROVAL_STATE_APPROVED",
      decidedBy: "Zoë",
    });
    expect(await get(runId, approvalId)).toMatchObject({
      state: "APPROVAL_STATE_APPROVED",
      decidedBy: "Zoë",
      comment: "expired",
    });
    expect((await list(runId))[0]).toMatchObject({ approvalId, state: "APPROVAL_STATE_APPROVED", decidedBy: "Zoë" });
    const { events } = jsonOf(await ask(RunService.method.listRunEvents, { runId }));
    const changes = events.filter((event: { kind: string }) => event.kind === "RUN_EVENT_KIND_APPROVAL_ENDED");
    expect(changes).toMatchObject([
      {
        taskId: "one",
        approvalChange: { approvalId, state: "APPROVAL_STATE_APPROVED", actor: "Zoë", comment: "expired" },
      },
    ]);
  });

  // Cause: single reads called an expired approval with `on_reject: continue` rejected; a later decision said "was
  // decided before: failed".
  test("an expired approval is expired everywhere, and a decision that comes later is told so", async () => {
    const runId = await start("expires");
    const approvalId = (await list(runId))[0]?.approvalId ?? "";
    await eventually(async () => expect((await list(runId))[0]?.state).toBe("APPROVAL_STATE_EXPIRED"));
    expect((await get(runId, approvalId)).state).toBe("APPROVAL_STATE_EXPIRED");
    const refused = refusalOf(await ask(decideApproval, { runId, approvalId, decision: 2 }));
    expect(refused).toMatchObject({ code: 9, reason: "APPROVAL_DECIDED", metadata: { state: "EXPIRED" } });
    expect(refused.message).toMatch(/\(task ask\) expired at 20/);
    const { task } = jsonOf(await ask(RunService.method.getRunTask, { runId, taskId: "ask" }));
    expect(task.output).toMatchObject({ approved: false, decision: "expired", comment: "" });
  });

  // Cause: a decision named the task, and a second one with other content was answered OK and dropped.
  test("a repeated decision is answered as the first time; one with other content is refused with who, how and when", async () => {
    const runId = await start("two-questions");
    const approvalId = (await list(runId))[0]?.approvalId ?? "";
    const decision = { runId, approvalId, decision: 1 as const, comment: "fine", dataValue: data({ a: [1] }) };
    const first = jsonOf(await ask(decideApproval, { ...decision, requestId: "d" }, by("ada")));
    for (const requestId of ["d", "other", ""])
      expect(jsonOf(await ask(decideApproval, { ...decision, requestId }, by("bob")))).toEqual(first);
    for (const other of [{ decision: 2 as const }, { comment: "fine!" }, { dataValue: data({ a: [2] }) }]) {
      const refused = refusalOf(await ask(decideApproval, { ...decision, ...other }, by("bob")));
      expect(refused).toMatchObject({ code: 9, reason: "APPROVAL_DECIDED" });
      expect(refused.metadata).toMatchObject({
        state: "APPROVED",
        decidedBy: "ada",
        decideTime: expect.stringMatching(/^20/),
      });
      expect(refused.message).toContain("was approved by ada at ");
    }
    // The next question was asked meanwhile and nobody has answered it.
    expect((await list(runId)).map(({ taskId, state }) => `${taskId} ${state}`)).toEqual([
      "one APPROVAL_STATE_APPROVED",
      "two APPROVAL_STATE_PENDING",
    ]);
  });

  test("visits of a state and children of a map ask questions of their own", async () => {
    const runId = await start("asks-again");
    const [first] = await list(runId);
    const no = { runId, approvalId: first?.approvalId ?? "", decision: 2 as const };
    await ask(decideApproval, no);
    await ask(decideApproval, no);
    const both = await list(runId);
    expect(both.map(({ taskId, state }) => `${taskId} ${state}`)).toEqual([
      "ask~1 APPROVAL_STATE_REJECTED",
      "ask~2 APPROVAL_STATE_PENDING",
    ]);
    const each = await list(await start("asks-each"));
    expect(each.map(({ taskId }) => taskId)).toEqual(["each.0", "each.1"]);
    expect(new Set(each.map(({ approvalId }) => approvalId)).size).toBe(2);
    for (const approvalId of ["ask~1", "0", "999", "1"])
      expect(refusalOf(await ask(decideApproval, { ...no, approvalId })).reason, approvalId).toBe("APPROVAL_NOT_FOUND");
  });

  // Cause: the form was stored and shown, and never looked at.
  test("data must meet the form; who rejects may leave it out", async () => {
    const runId = await start("with-form");
    const asked = await list(runId);
    const idOf = (taskId: string) => asked.find((one) => one.taskId === taskId)?.approvalId ?? "";
    const fixed = { runId, approvalId: idOf("fixed"), decision: 1 as const };
    for (const [given, fields] of [
      [undefined, ["data.reason"]],
      [{}, ["data.reason"]],
      [{ n: 6, reason: "ok!" }, ["data.n"]],
      [{ n: 6.5 }, ["data.reason", "data.n"]],
    ] as const) {
      const refused = refusalOf(
        await ask(decideApproval, given === undefined ? fixed : { ...fixed, dataValue: data(given) }),
      );
      expect(refused).toMatchObject({ code: 3, reason: "INVALID_REQUEST" });
      expect(new Set(refused.violations.map(({ field }) => field)), JSON.stringify(given)).toEqual(new Set(fields));
    }
    const computed = { runId, approvalId: idOf("computed"), decision: 1 as const };
    expect(refusalOf(await ask(decideApproval, { ...computed, dataValue: data({ n: 6 }) })).violations).toMatchObject([
      { field: "data.n" },
    ]);
    expect(refusalOf(await ask(decideApproval, { ...fixed, decision: 2, dataValue: data({ n: 6 }) })).code).toBe(3);
    expect(jsonOf(await ask(decideApproval, { ...fixed, decision: 2 })).approval.state).toBe("APPROVAL_STATE_REJECTED");
    expect(jsonOf(await ask(decideApproval, { ...computed, dataValue: data({ n: 5 }) })).approval.state).toBe(
      "APPROVAL_STATE_APPROVED",
    );
  });

  // Cause: a payload that no guard could read was queued, and ended the run later.
  test("a signal with a declared schema is refused when it is sent, also with a start", async () => {
    const runId = await start("declared-signal");
    const { signalRun, startRun, getRun } = RunService.method;
    for (const value of [null, { amount: 0 }, { amount: "3" }]) {
      const refused = refusalOf(await ask(signalRun, { runId, signalName: "paid", dataValue: data(value as object) }));
      expect(refused).toMatchObject({ code: 3, reason: "INVALID_REQUEST" });
      expect(refused.violations[0]?.field).toBe(value === null ? "data" : "data.amount");
    }
    expect(jsonOf(await ask(getRun, { runId })).run).toMatchObject({ state: "RUN_STATE_WAITING" });
    const signals = [{ signalName: "paid", dataValue: data({}) }];
    const refused = refusalOf(await ask(startRun, { flowId: "declared-signal", signals }));
    expect(refused.violations).toMatchObject([{ field: "signals[0].data.amount", description: "is required" }]);
    jsonOf(await ask(signalRun, { runId, signalName: "paid", dataValue: data({ amount: 1 }) }, by("bank")));
    await eventually(async () => expect(jsonOf(await ask(getRun, { runId })).run.state).toBe("RUN_STATE_COMPLETED"));
    const { events } = jsonOf(await ask(RunService.method.listRunEvents, { runId }));
    expect(
      events.find((event: { kind: string }) => event.kind === "RUN_EVENT_KIND_SIGNAL_RECEIVED").signalChange,
    ).toMatchObject({
      actor: "bank",
    });
  });

  // Cause: every "who" was empty.
  test("the caller's word says who paused, canceled and terminated", async () => {
    const { pauseRun, resumeRun, cancelRun, terminateRun, listRunEvents, startRun } = RunService.method;
    const runId = await start("two-questions");
    expect(jsonOf(await ask(pauseRun, { runId }, by("Ørsted %"))).run.holds).toMatchObject([{ actor: "Ørsted %" }]);
    await ask(resumeRun, { runId }, by("eve"));
    const { events } = jsonOf(await ask(listRunEvents, { runId }));
    const released = events.find((event: { kind: string }) => event.kind === "RUN_EVENT_KIND_RUN_RELEASED");
    expect(released.holdChange.hold).toMatchObject({ actor: "eve" });
    expect(jsonOf(await ask(cancelRun, { runId, reason: "enough" }, by("eve"))).run.cause).toMatchObject({
      outcome: "RUN_PHASE_CANCELED",
      actor: "eve",
      reason: "enough",
    });
    const other = await start("two-questions");
    expect(jsonOf(await ask(terminateRun, { runId: other, reason: "now" }, by("mo"))).run.cause).toMatchObject({
      outcome: "RUN_PHASE_TERMINATED",
      actor: "mo",
      reason: "now",
    });
    const queued = jsonOf(await ask(startRun, { flowId: "two-questions", startDelay: { seconds: 60n } })).run.runId;
    expect(jsonOf(await ask(cancelRun, { runId: queued, reason: "later" }, by("mo"))).run.cause).toMatchObject({
      actor: "mo",
      reason: "later",
    });
  });

  test.each(["%", "%FF", "%00", "a%0Ab", "%E2%80%AE", "orchestrator", "x".repeat(129), "%20"])(
    "the name %j is refused",
    async (actor) => {
      const options = { headers: { "x-orchestrator-actor": actor } };
      const refused = refusalOf(await ask(RunService.method.listRuns, {}, options));
      expect(refused).toMatchObject({ code: 3, reason: "INVALID_REQUEST" });
      expect(refused.violations).toMatchObject([{ field: "x-orchestrator-actor" }]);
    },
  );
});
