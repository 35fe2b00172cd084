/** Webhooks that start flows: schemes of signatures, repetitions, filters, and what hostile senders try. */
import { expect, test } from "vitest";
import { FlowService } from "../../../src/gen/orchestrator/v1/flow_service_pb.ts";
import { RunState, TaskState } from "../../../src/gen/orchestrator/v1/run_pb.ts";
import { RunService } from "../../../src/gen/orchestrator/v1/run_service_pb.ts";
import { TriggerOutcome } from "../../../src/gen/orchestrator/v1/trigger_pb.ts";
import { TriggerService } from "../../../src/gen/orchestrator/v1/trigger_service_pb.ts";
import { eventually } from "../../support/eventually.ts";
import { runCommand } from "../../support/run-command.ts";
import { createTemporaryFolder } from "../../support/temporary-folder.ts";
import {
  GITHUB_SECRET,
  post,
  STANDARD_SECRET,
  STRIPE_SECRET,
  signGithub,
  signStandard,
  signStripe,
} from "../../support/webhook-sender.ts";
import { openWorkerBed, type WorkerBed } from "../../support/worker-service.ts";

const SECRETS = {
  ORCHESTRATOR_SECRET_GITHUB: GITHUB_SECRET,
  ORCHESTRATOR_SECRET_STRIPE: STRIPE_SECRET,
  ORCHESTRATOR_SECRET_STANDARD: STANDARD_SECRET,
};

const FLOW = `  tasks:
    - id: done
      type: transform
      parameters: {output: "\${vars.commit}"}
`;

const GITHUB = `id: on-push
flow_id: deploy
source: {type: webhook, scheme: github, secrets: ["secret://github"]}
when: \${event.type == "push" && event.body.ref == "refs/heads/main"}
start:
  input: {commit: "\${event.body.after}"}
`;

const put = async ({ client }: WorkerBed, source: string) => client.call(TriggerService.method.putTrigger, { source });

const open = async (env: Readonly<Record<string, string>> = {}): Promise<WorkerBed> => {
  const bed = await openWorkerBed({ ...SECRETS, ...env });
  const definition = {
    case: "source" as const,
    value: `id: deploy\nname: Deploy\nversion: "1"\nvariables: [{name: commit, type: string, required: true}]\nworkflow:\n${FLOW}`,
  };
  await bed.client.call(FlowService.method.registerFlow, { definition });
  return bed;
};

const countsOf = async ({ client }: WorkerBed, triggerId: string): Promise<Record<string, number>> => {
  const { trigger } = await client.call(TriggerService.method.getTrigger, { triggerId });
  const counts = trigger?.counts ?? [];
  const nameOf = new Map<number, string>(Object.entries(TriggerOutcome).map(([name, number]) => [number, name]));
  return Object.fromEntries(counts.map(({ outcome, count }) => [nameOf.get(outcome) ?? "", Number(count)]));
};

const push = (commit: string, ref = "refs/heads/main"): string => JSON.stringify({ ref, after: commit });

test("a push of GitHub starts a run, once for each delivery; others are filtered, refused, or unknown", {
  timeout: 60_000,
}, async () => {
  const bed = await open();
  const { trigger, created } = await put(bed, GITHUB);
  expect([trigger?.triggerId, trigger?.flowId, created]).toEqual(["on-push", "deploy", true]);
  const url = `http://${bed.address}/v1/triggers/on-push:receive`;
  const body = push("c0ffee");
  const first = await post(url, body, signGithub(body, "d-1"));
  expect(first).toMatchObject({ status: 200, body: { disposition: "EVENT_DISPOSITION_APPLIED" } });
  const runId = String(first.body["runId"]);
  await bed.reaches(runId, RunState.COMPLETED);
  expect(await bed.outputOf(runId)).toEqual({ done: "c0ffee" });
  const { run } = await bed.client.call(RunService.method.getRun, { runId });
  expect([run?.labels, run?.correlationId]).toEqual([{ "orchestrator.dev/trigger": "on-push" }, "d-1"]);
  // Twice more, at once, after the run has ended: the same answer, and no other run.
  const again = await Promise.all([1, 2].map(() => post(url, body, signGithub(body, "d-1"))));
  expect(again.map((one) => [one.status, one.body])).toEqual([1, 2].map(() => [200, first.body]));
  const branch = push("1", "refs/heads/other");
  expect((await post(url, branch, signGithub(branch, "d-2"))).body).toEqual({
    disposition: "EVENT_DISPOSITION_IGNORED",
  });
  expect((await post(url, body, signGithub(body, "d-3", { type: "ping" }))).body).toEqual({
    disposition: "EVENT_DISPOSITION_IGNORED",
  });
  const forged = await post(url, `${body} `, signGithub(body, "d-4"));
  expect(forged).toMatchObject({ status: 401, body: { message: "the signature of the request is not valid" } });
  const unknown = await post(`${url.replace("on-push", "on-pull")}`, body, signGithub(body, "d-5"));
  expect(unknown).toMatchObject({ status: 404, body: { message: "trigger on-pull does not exist" } });
  const { runs } = await bed.client.call(RunService.method.listRuns, {});
  expect(runs.map((one) => one.runId)).toEqual([runId]);
  await eventually(async () =>
    expect(await countsOf(bed, "on-push")).toEqual({ ACCEPTED: 1, DUPLICATE: 2, FILTERED: 2, UNSIGNED: 1 }),
  );
});

test("a webhook of each scheme is taken if one of the secrets signed it, and not long ago", {
  timeout: 60_000,
}, async () => {
  const bed = await open({ ORCHESTRATOR_SECRET_OLD: "whsec_b2xkIG9sZCBvbGQgb2xk" });
  const trigger = (id: string, scheme: string, secrets: string): string =>
    `id: ${id}\nflow_id: deploy\nsource: {type: webhook, scheme: ${scheme}, secrets: [${secrets}]}\nstart: {input: {commit: "\${event.id}"}}`;
  await put(bed, trigger("standard", "standard-webhooks", '"secret://old", "secret://standard"'));
  await put(bed, trigger("stripe", "stripe", '"secret://stripe"'));
  const url = (id: string): string => `http://${bed.address}/v1/triggers/${id}:receive`;
  const body = JSON.stringify({ id: "evt_1", type: "invoice.paid" });
  const long = 6 * 60_000;
  const answers = await Promise.all([
    post(url("standard"), body, signStandard(body, "msg_1")),
    post(url("standard"), body, signStandard(body, "msg_2", { secret: "whsec_b2xkIG9sZCBvbGQgb2xk" })),
    post(url("standard"), body, signStandard(body, "msg_3", { more: "v1,AAAA v1a,BBBB " })),
    post(url("stripe"), body, signStripe(body, { more: "v0=00,v1=zz," })),
    post(url("standard"), body, signStandard(body, "msg_4", { at: Date.now() - long })),
    post(url("standard"), body, signStandard(body, "msg_5", { at: Date.now() + long })),
    post(url("standard"), body, signStandard(body, "msg_6", { secret: "whsec_bm9uZSBvZiB0aGVt" })),
    post(url("standard"), body, { ...signStandard(body, "msg_7"), "webhook-id": "msg_8" }),
    post(url("standard"), body, {}),
    post(url("stripe"), body, signStripe(body, { at: Date.now() - long })),
    post(url("stripe"), body, signStripe(body, { secret: "another" })),
    post(url("stripe"), body, { "stripe-signature": "t=1,v1=" }),
  ]);
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 401, 401, 401, 401, 401, 401, 401, 401]);
  expect(new Set(answers.slice(4).map((one) => one.body["message"])).size).toBe(1);
  const { run } = await bed.client.call(RunService.method.getRun, { runId: String(answers[3]?.body["runId"]) });
  expect(run?.correlationId).toBe("evt_1");
});

test("an event signals the open run with its key, once, and the run that it was for; without one it is ignored", {
  timeout: 60_000,
}, async () => {
  const bed = await open();
  await bed.register(
    "order",
    "  tasks:\n    - id: paid\n      type: signal\n    - {id: again, type: signal, depends_on: [paid], parameters: {name: paid}}\n",
  );
  await put(
    bed,
    `id: paid
flow_id: order
source: {type: webhook, scheme: github, secrets: ["secret://github"]}
signal: {run_key: "\${event.body.order}", name: paid, payload: "\${event.body}"}`,
  );
  await put(
    bed,
    `id: ordered
flow_id: order
source: {type: webhook, scheme: github, secrets: ["secret://github"]}
start: {run_key: "\${event.body.order}", run_key_policy: return_existing}`,
  );
  const send = (id: string, delivery: string, order: unknown) => {
    const body = JSON.stringify({ order });
    return post(`http://${bed.address}/v1/triggers/${id}:receive`, body, signGithub(body, delivery));
  };
  expect((await send("paid", "p-0", 7)).body).toEqual({ disposition: "EVENT_DISPOSITION_IGNORED" });
  const first = await send("ordered", "o-1", 7);
  const same = await send("ordered", "o-2", 7);
  const repeated = await send("ordered", "o-1", 7);
  const runId = String(first.body["runId"]);
  expect([same.body["runId"], repeated.body["runId"]]).toEqual([runId, runId]);
  const paid = await Promise.all([1, 2, 3].map(() => send("paid", "p-1", 7)));
  expect(paid.map((one) => one.body["runId"])).toEqual([runId, runId, runId]);
  // Three deliveries were one signal: the second task still waits.
  const { task } = await bed.client.call(RunService.method.getRunTask, { runId, taskId: "again" });
  expect(task?.state).toBe(TaskState.WAITING);
  expect((await send("paid", "p-2", 7)).body["runId"]).toBe(runId);
  await bed.reaches(runId, RunState.COMPLETED);
  expect(await bed.outputOf(runId)).toEqual({ again: { order: 7 } });
  const next = await send("ordered", "o-3", 7);
  expect(next.body["runId"]).not.toBe(runId);
  // For the run that has ended, although another one has the key.
  expect((await send("paid", "p-2", 7)).body["runId"]).toBe(runId);
  expect((await send("ordered", "o-2", 7)).body["runId"]).toBe(runId);
  expect((await send("paid", "p-3", { no: "key" })).status).toBe(422);
  await eventually(async () =>
    expect(await countsOf(bed, "paid")).toEqual({ ACCEPTED: 2, DUPLICATE: 3, UNMATCHED: 1, FAILED: 1 }),
  );
});

test("a paused trigger sends its senders away until it is resumed; both hold after a kill -9", {
  timeout: 60_000,
}, async () => {
  const bed = await open();
  await put(bed, GITHUB);
  const body = push("c1");
  const send = () => post(`http://${bed.address}/v1/triggers/on-push:receive`, body, signGithub(body, "d-1"));
  const { method } = TriggerService;
  const { trigger } = await bed.client.call(method.pauseTrigger, { triggerId: "on-push", reason: "maintenance" });
  expect(trigger?.pause?.reason).toBe("maintenance");
  await bed.restart();
  const refused = await send();
  expect([refused.status, refused.headers.get("retry-after")]).toEqual([503, "60"]);
  await bed.client.call(method.resumeTrigger, { triggerId: "on-push" });
  const taken = await send();
  expect(taken.status).toBe(200);
  // The answer is lost with the process: the sender repeats it.
  await bed.restart();
  expect((await send()).body).toEqual(taken.body);
  await bed.client.call(method.deleteTrigger, { triggerId: "on-push" });
  expect((await send()).status).toBe(404);
});

test("what cannot be applied is counted with its reason, and the sender learns nothing of it", {
  timeout: 60_000,
}, async () => {
  const bed = await open();
  await put(bed, GITHUB.replace("event.body.after", "event.body.number"));
  const url = `http://${bed.address}/v1/triggers/on-push:receive`;
  const send = (body: string, delivery: string) => post(url, body, signGithub(body, delivery));
  const wrong = await send('{"ref": "refs/heads/main", "number": 5}', "d-1");
  expect(wrong).toMatchObject({ status: 422, body: { message: expect.stringContaining("cannot be applied") } });
  expect(JSON.stringify(wrong.body)).not.toContain("commit");
  expect((await send("no JSON at all", "d-2")).status).toBe(422);
  expect((await send("", "d-3")).status).toBe(422);
  const huge = await post(url, Buffer.alloc(100 * 1_024 * 1_024), {}).catch((error: Error) => error);
  if (!(huge instanceof Error)) expect(huge.status).toBe(413);
  const { runs } = await bed.client.call(RunService.method.listRuns, {});
  expect(runs).toEqual([]);
  await eventually(async () => {
    const { trigger } = await bed.client.call(TriggerService.method.getTrigger, { triggerId: "on-push" });
    expect(trigger?.counts).toMatchObject([{ outcome: TriggerOutcome.FAILED, count: 3n, lastEventId: "d-3" }]);
    expect(trigger?.counts[0]?.lastProblem).toMatch(/^EXPRESSION_FAILED: .*event\.body/);
  });
  // Each of them is listed with its reason, and so is what was taken, ignored, and refused.
  await put(bed, GITHUB);
  const taken = await send(push("c1"), "d-4");
  await send(push("c1"), "d-4");
  await send(push("c1", "refs/heads/other"), "d-5");
  await post(url, push("c2"), signGithub(push("c1"), "d-6"));
  const { method } = TriggerService;
  const list = (request: object) => bed.client.call(method.listTriggerEvents, { triggerId: "on-push", ...request });
  await eventually(async () => expect((await list({})).events).toHaveLength(7));
  const runId = String(taken.body["runId"]);
  const shown = (await list({})).events.map((one) => [one.eventId, one.outcome, one.runId, one.problem.split(":")[0]]);
  const { ACCEPTED, DUPLICATE, FAILED, FILTERED, UNSIGNED } = TriggerOutcome;
  expect(shown).toEqual(
    expect.arrayContaining([
      ["d-1", FAILED, "", "FLOW_INPUT_INVALID"],
      ...["d-2", "d-3"].map((id) => [id, FAILED, "", "EXPRESSION_FAILED"]),
      ...[
        ["d-4", ACCEPTED, runId, ""],
        ["d-4", DUPLICATE, runId, ""],
        ["d-5", FILTERED, "", ""],
        ["", UNSIGNED, "", ""],
      ],
    ]),
  );
  const page = await list({ outcome: FAILED, pageSize: 2 });
  const rest = await list({ outcome: FAILED, pageSize: 2, pageToken: page.nextPageToken });
  expect([...page.events, ...rest.events].map(({ eventId }) => eventId)).toEqual(["d-3", "d-2", "d-1"]);
  const rested = await fetch(`http://${bed.address}/v1/triggers/on-push/events?outcome=TRIGGER_OUTCOME_UNSIGNED`);
  expect(await rested.json()).toMatchObject({ events: [{ outcome: "TRIGGER_OUTCOME_UNSIGNED" }] });
  const command = ["triggers", "events", "on-push", "--outcome", "failed", "--server", bed.address];
  const { out, err } = await runCommand(command, createTemporaryFolder(), {});
  expect(out, err).toMatch(/CAME +OUTCOME +EVENT.*FAILED +d-3 .*FAILED +d-1 +FLOW_INPUT_INVALID/s);
  const unknown = bed.client.call(method.listTriggerEvents, { triggerId: "nothing" });
  await expect(unknown).rejects.toMatchObject({ code: "TRIGGER_NOT_FOUND" });
});

// Cause: starts by events passed the checks of the contract by.
test("an event starts nothing that a call may not start: longer texts, a larger input", {
  timeout: 120_000,
}, async () => {
  const bed = await open({ ORCHESTRATOR_MAX_PAYLOAD_BYTES: "64KB" });
  const long = `\${event.body.long}`;
  for (const [name, start] of Object.entries({
    correlation_id: `correlation_id: "${long}"`,
    user_id: `user_id: "${long}"`,
    run_key: `run_key: "${long}"`,
    labels: `labels: {of: "${long}"}`,
    keyed_input: `run_key: "\${event.body.after}"`,
    input: "",
  })) {
    const id = name.replace("_", "-");
    await put(bed, `${GITHUB.replace("id: on-push", `id: ${id}`)}${start === "" ? "" : `  ${start}\n`}`);
    const url = `http://${bed.address}/v1/triggers/${id}:receive`;
    const isInput = name.endsWith("input");
    const send = async (characters: number): Promise<number> => {
      const text = "🙂".repeat(characters);
      const values = isInput ? { after: text, long: "" } : { after: "1", long: text };
      const body = JSON.stringify({ ref: "refs/heads/main", ...values });
      return (await post(url, body, signGithub(body, `${id}-${characters}`))).status;
    };
    expect([await send(256), await send(isInput ? 20_000 : 257)], name).toEqual([200, 422]);
    await eventually(async () => {
      const { trigger } = await bed.client.call(TriggerService.method.getTrigger, { triggerId: id });
      const failed = trigger?.counts.find(({ outcome }) => outcome === TriggerOutcome.FAILED);
      expect(failed?.lastProblem).toMatch(
        isInput
          ? /^PAYLOAD_TOO_LARGE: input_json has \d+ bytes; the limit is \d+/
          : name === "labels"
            ? /labels\.of: has more than 256 characters/
            : new RegExp(`^INVALID_REQUEST: .*${name}: has 257 characters; the limit is 256`),
      );
    });
  }
  const { runs } = await bed.client.call(RunService.method.listRuns, {});
  expect(runs).toHaveLength(6);
});

test("a definition is refused with all its problems and their lines", { timeout: 60_000 }, async () => {
  const bed = await open();
  const refusal = (source: string) => put(bed, source).then(String, (error: { message: string }) => error.message);
  expect(await refusal("id: x\nflow_id: deploy\nsource: {type: webhook, scheme: githib}\nstart: {}")).toContain(
    "github",
  );
  expect(await refusal(GITHUB.replace("event.body.after", "vars.x"))).toMatch(/start\.input\.commit.*\(line 6\)/);
  expect(await refusal(GITHUB.replace("secret://github", "secret://nothing"))).toContain("ORCHESTRATOR_SECRET_NOTHING");
  expect(await refusal(GITHUB.replace("flow_id: deploy", "flow_id: nothing"))).toContain("nothing");
  expect(await refusal("id: x\nflow_id: deploy\nsource: {type: webhook, scheme: none}\nstart: {}")).toContain(
    "allow_unsigned",
  );
  const withSource = (source: string) => refusal(`id: x\nflow_id: deploy\nsource: {${source}}\nstart: {}`);
  expect(await withSource("topic: orders")).toContain("source.type: is missing; expected webhook, kafka, or redis");
  expect(await withSource("type: amqp")).toContain("source.type: expected webhook, kafka, or redis");
  expect(await withSource("type: kafka, topic: __consumer_offsets")).toContain("source.topic: expected the name");
  expect(await withSource("type: redis, stream: a b")).toContain("source.stream: use visible ASCII");
  const { trigger } = await put(bed, GITHUB);
  await put(bed, GITHUB.replace("main", "other"));
  const { method } = TriggerService;
  const changed = bed.client.call(method.putTrigger, { source: GITHUB, etag: trigger?.etag ?? "" });
  await expect(changed).rejects.toMatchObject({ code: "TRIGGER_CHANGED" });
});

// Cause: the flow was looked up before it was known that the event had come before.
test("an event that started a run is answered as the first time when its run and its flow are gone", {
  timeout: 60_000,
}, async () => {
  const bed = await open();
  await put(bed, GITHUB);
  await put(bed, `${GITHUB.replace("id: on-push", "id: keyed")}  run_key: "\${event.body.after}"\n`);
  const send = (id: string, delivery: string, commit = "c1") => {
    const body = push(commit);
    return post(`http://${bed.address}/v1/triggers/${id}:receive`, body, signGithub(body, delivery));
  };
  const first = await Promise.all(["on-push", "keyed"].map((id) => send(id, "d-1")));
  expect(first.map(({ status }) => status)).toEqual([200, 200]);
  for (const { body } of first) {
    const runId = String(body["runId"]);
    await bed.reaches(runId, RunState.COMPLETED);
    await bed.client.call(RunService.method.deleteRun, { runId });
  }
  await bed.client.call(FlowService.method.deleteFlowVersion, { flowId: "deploy", version: "1" });
  // No plan is in memory.
  await bed.restart("SIGTERM");
  const again = await Promise.all(["on-push", "keyed"].map((id) => send(id, "d-1")));
  expect(again.map(({ status, body }) => [status, body])).toEqual(first.map(({ body }) => [200, body]));
  expect((await send("on-push", "d-2")).status).toBe(422);
  expect((await send("keyed", "d-2")).status).toBe(422);
  await eventually(async () => {
    expect(await countsOf(bed, "on-push")).toEqual({ ACCEPTED: 1, DUPLICATE: 1, FAILED: 1 });
    expect(await countsOf(bed, "keyed")).toEqual({ ACCEPTED: 1, DUPLICATE: 1, FAILED: 1 });
  });
});
