/** Messages that could not be delivered: seen, sent again, and dropped, over the command line, REST, and gRPC. */
import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { ApiClient } from "../../src/api/client/client.ts";
import { openGrpcClient } from "../../src/api/client/grpc-client.ts";
import { silentLog } from "../../src/base/log.ts";
import { DeadLetterService } from "../../src/gen/orchestrator/v1/dead_letter_service_pb.ts";
import { FlowService } from "../../src/gen/orchestrator/v1/flow_service_pb.ts";
import { RunState } from "../../src/gen/orchestrator/v1/run_pb.ts";
import { RunService } from "../../src/gen/orchestrator/v1/run_service_pb.ts";
import { MessageDestination, UndeliveredReason } from "../../src/gen/orchestrator/v1/undelivered_message_pb.ts";
import { openDatabase } from "../../src/store/sql/pool.ts";
import { eventually } from "../support/eventually.ts";
import { createTestDatabase } from "../support/postgres.ts";
import { runCommand } from "../support/run-command.ts";
import { startServeForTest } from "../support/serve-process.ts";
import { createTemporaryFolder } from "../support/temporary-folder.ts";
import { startReceiver } from "../support/webhook-receiver.ts";
import { openWorkerBed } from "../support/worker-service.ts";

const { method } = DeadLetterService;

const FLOW = `  tasks:
    - {id: a, type: emit, parameters: {webhook: billing, payload: {n: 0, secret: "\${vars.x}"}}}
    - {id: b, type: emit, depends_on: [a], parameters: {webhook: billing, payload: {n: 1}}}
    - {id: c, type: emit, depends_on: [b], parameters: {webhook: billing, payload: {n: 2}}}
variables: [{name: x, type: string, default: y}]
`;

function environmentFor(url: string): Record<string, string> {
  const secrets = createTemporaryFolder();
  writeFileSync(join(secrets, "billing"), `whsec_${randomBytes(32).toString("base64")}`);
  return {
    ORCHESTRATOR_SECRETS_DIR: secrets,
    ORCHESTRATOR_HTTP_ALLOW: "127.0.0.1",
    ORCHESTRATOR_WEBHOOKS_ENDPOINTS: JSON.stringify({ billing: { url, secret: "secret://billing" } }),
  };
}

test("what an endpoint refuses is listed with the reason, sent again in its order, or dropped", async () => {
  const receiver = await startReceiver();
  receiver.reply(() => 410);
  const bed = await openWorkerBed(environmentFor(receiver.url));
  await bed.register("tell", FLOW);
  const runId = await bed.start("tell");
  await bed.reaches(runId, RunState.COMPLETED);
  const list = async () => (await bed.client.call(method.listUndeliveredMessages, {})).messages;
  await eventually(async () => expect(await list()).toHaveLength(3));
  const messages = await list();
  expect(messages.map(({ taskId }) => taskId)).toEqual(["a", "b", "c"]);
  expect(messages[0]).toMatchObject({
    ...{ tenantId: "default", destination: MessageDestination.WEBHOOK, place: "billing", kind: "event", runId },
    ...{ reason: UndeliveredReason.REFUSED, problem: "the endpoint answered 410 GONE", contentJson: "" },
  });
  const folder = createTemporaryFolder();
  const command = (...args: string[]) =>
    runCommand(["messages", ...args, "--server", bed.address, "--by", "ann", "--output", "json"], folder, {});
  const [first] = messages;
  const { out, err } = await command("get", first?.messageId ?? "");
  const got = JSON.parse(out) as { readonly contentJson: string };
  expect(Object.keys(got), err).toContain("contentJson");
  expect(JSON.parse(got.contentJson)).toMatchObject({ payload: { n: 0, secret: "y" } });

  // Pages have everything once, and the token is bound to the query.
  const page = await bed.client.call(method.listUndeliveredMessages, { pageSize: 2 });
  const rest = await bed.client.call(method.listUndeliveredMessages, { pageSize: 2, pageToken: page.nextPageToken });
  expect([...page.messages, ...rest.messages].map(({ taskId }) => taskId)).toEqual(["a", "b", "c"]);
  expect(rest.nextPageToken).toBe("");
  expect((await bed.client.call(method.listUndeliveredMessages, { place: "other" })).messages).toEqual([]);
  const rested = await (await fetch(`http://${bed.address}/v1/undeliveredMessages?run_id=${runId}`)).json();
  expect(rested).toMatchObject({ messages: [{ taskId: "a" }, { taskId: "b" }, { taskId: "c" }] });

  // Refused again: they are back, in the list, not lost.
  await command("redeliver", "--all", "--place", "billing", "--reason", "a try");
  await eventually(async () => expect(await list()).toHaveLength(3));
  expect(receiver.received).toHaveLength(6);

  receiver.reply(() => 200);
  const [third] = (await list()).slice(2);
  expect(JSON.parse((await command("drop", third?.messageId ?? "")).out)).toEqual({
    ...{ messageIds: [third?.messageId], notFoundMessageIds: [] },
  });
  const sent = JSON.parse((await command("redeliver", "--all", "--reason", "endpoint fixed")).out);
  expect(sent.messageIds).toHaveLength(2);
  await eventually(() => expect(receiver.taken()).toEqual([{ n: 0, secret: "y" }, { n: 1 }]));
  expect(receiver.received.slice(6).map(({ headers }) => headers["webhook-id"])).toEqual([
    `${runId}/a/0`,
    `${runId}/b/0`,
  ]);
  expect(await list()).toEqual([]);

  const metrics = await (await fetch(`http://127.0.0.1:${bed.service().metricsPort}/metrics`)).text();
  expect(metrics).toContain('orchestrator_outbox_rejected_total{destination="webhook",reason="REFUSED"} 6');

  await expect(bed.client.call(method.getUndeliveredMessage, { messageId: "1-1" })).rejects.toMatchObject({
    code: "MESSAGE_NOT_FOUND",
  });
  await expect(bed.client.call(method.getUndeliveredMessage, { messageId: "99999-1" })).rejects.toMatchObject({
    code: "MESSAGE_NOT_FOUND",
  });
  await expect(bed.client.call(method.dropMessages, {})).rejects.toMatchObject({ code: "INVALID_REQUEST" });
});

test("what could not be delivered in time is given up, all of it, and can be sent again", async () => {
  const receiver = await startReceiver();
  const { port } = receiver;
  await receiver.close();
  const bed = await openWorkerBed({ ...environmentFor(receiver.url), ORCHESTRATOR_WEBHOOKS_MAX_AGE: "2s" });
  await bed.register("tell", FLOW);
  for (let n = 0; n < 20; n++) await bed.start("tell");
  const list = async () => (await bed.client.call(method.listUndeliveredMessages, { pageSize: 500 })).messages;
  await eventually(async () => expect(await list()).toHaveLength(60), { timeoutMs: 20_000 });
  for (const { reason, problem } of await list()) {
    expect(reason).toBe(UndeliveredReason.EXPIRED);
    expect(problem).toMatch(/^not delivered within 2 s; at last: .*nobody listens there/);
  }
  const again = await startReceiver(port);
  await bed.client.call(method.redeliverMessages, { selector: { reason: UndeliveredReason.EXPIRED } });
  await eventually(() => expect(again.taken()).toHaveLength(60), { timeoutMs: 20_000 });
});

test("a call at one instance has messages of the other's shards sent again, with actor and reason kept", async () => {
  const receiver = await startReceiver();
  receiver.reply(() => 404);
  const { url } = await createTestDatabase();
  const env = { ...environmentFor(receiver.url), ORCHESTRATOR_DATABASE_URL: url, ORCHESTRATOR_SHARDS: "8" };
  const open = () => startServeForTest({ folder: createTemporaryFolder(), env });
  const services = await Promise.all([open(), open()]);
  const [client, other] = services.map(({ address }) => openGrpcClient({ address })) as [ApiClient, ApiClient];
  const database = await openDatabase({ target: url, log: silentLog });
  const owners = async () =>
    (await database.reads.query("SELECT DISTINCT instance_id FROM orchestrator.shard_leases")).rows.length;
  await eventually(async () => expect(await owners()).toBe(2), { timeoutMs: 30_000 });
  const value = `id: tell\nname: tell\nversion: "1"\nworkflow:\n${FLOW}`;
  await client.call(FlowService.method.registerFlow, { definition: { case: "source", value } });
  // Runs are started where the call arrives.
  for (let n = 0; n < 30; n++)
    await (n % 2 === 0 ? client : other).call(RunService.method.startRun, { flowId: "tell" });
  const list = async () => (await client.call(method.listUndeliveredMessages, { pageSize: 500 })).messages;
  await eventually(async () => expect(await list()).toHaveLength(90), { timeoutMs: 30_000 });
  receiver.reply(() => 200);
  const { messageIds } = await client.call(method.redeliverMessages, { selector: {}, changeReason: "mended" });
  expect(messageIds).toHaveLength(90);
  await eventually(() => expect(receiver.taken()).toHaveLength(90), { timeoutMs: 5_000 });
  const { rows } = await database.reads.query(
    "SELECT action, cardinality(message_ids) AS count, reason FROM orchestrator.undelivered_changes",
  );
  expect(rows).toEqual([{ action: "redelivered", count: 90, reason: "mended" }]);
  await Promise.all([client.close(), other.close()]);
  await database.close();
});

// Cause: a selector that was repeated took the next messages, or those that had been refused again since.
test("a change that is repeated with its request id is answered as the first time, and says which ids it did not find", async () => {
  const receiver = await startReceiver();
  receiver.reply(() => 410);
  const bed = await openWorkerBed(environmentFor(receiver.url));
  await bed.register("tell", FLOW);
  await bed.start("tell");
  const list = async () => (await bed.client.call(method.listUndeliveredMessages, {})).messages;
  await eventually(async () => expect(await list()).toHaveLength(3));
  const ids = (await list()).map(({ messageId }) => messageId);
  const again = { selector: {}, changeReason: "a try", requestId: "again-1" };
  const first = await bed.client.call(method.redeliverMessages, again);
  expect(first.messageIds).toEqual(ids);
  // They are refused again, and have the ids by which operators know them.
  await eventually(async () => expect(await list()).toHaveLength(3));
  expect((await list()).map(({ messageId }) => messageId)).toEqual(ids);
  expect(await bed.client.call(method.redeliverMessages, again)).toEqual(first);
  expect(receiver.received).toHaveLength(6);
  const other = bed.client.call(method.redeliverMessages, { ...again, changeReason: "another" });
  await expect(other).rejects.toMatchObject({ code: "REQUEST_ID_REUSED" });
  await expect(bed.client.call(method.dropMessages, again)).rejects.toMatchObject({ code: "REQUEST_ID_REUSED" });

  const [one = "", ...rest] = ids;
  const drop = { messageIds: ["1-1", one, "no id", one], requestId: "drop-1" };
  const dropped = await Promise.all([1, 2].map(() => bed.client.call(method.dropMessages, drop)));
  for (const { messageIds, notFoundMessageIds } of dropped)
    expect([messageIds, notFoundMessageIds]).toEqual([[one], ["1-1", "no id"]]);
  const { notFoundMessageIds } = await bed.client.call(method.redeliverMessages, { messageIds: [one] });
  expect(notFoundMessageIds).toEqual([one]);
  const args = ["messages", "drop", ...ids, "--server", bed.address, "--output", "json"];
  const { code, out, err } = await runCommand(args, createTemporaryFolder(), {});
  expect(JSON.parse(out)).toEqual({ messageIds: rest, notFoundMessageIds: [one] });
  expect([code, err]).toEqual([4, expect.stringContaining(`there is no message ${one}`)]);
});

// Cause: a message that was sent again came after what its run had sent since.
test("a message that is sent again comes before what its run has sent since and still waits", async () => {
  const receiver = await startReceiver();
  receiver.reply(({ body }) => (JSON.parse(body).n === 0 ? 410 : 503));
  const bed = await openWorkerBed(environmentFor(receiver.url));
  await bed.register("tell", FLOW);
  await bed.start("tell");
  const list = async () => (await bed.client.call(method.listUndeliveredMessages, {})).messages;
  await eventually(async () => expect(await list()).toHaveLength(1));
  await bed.client.call(method.redeliverMessages, { selector: {} });
  receiver.reply(() => 200);
  await eventually(() => expect(receiver.taken()).toHaveLength(3), { timeoutMs: 20_000 });
  expect(receiver.taken()).toMatchObject([{ n: 0 }, { n: 1 }, { n: 2 }]);
});

// Cause: events for an endpoint that was taken out of the configuration waited where nobody saw them.
test("events for an endpoint that was taken out are shown, can be dropped, and are sent once it is back", async () => {
  const receiver = await startReceiver();
  receiver.reply(() => 503);
  const env = environmentFor(receiver.url);
  const bed = await openWorkerBed(env);
  await bed.register("tell", FLOW);
  const runId = await bed.start("tell");
  await bed.reaches(runId, RunState.COMPLETED);
  await bed.restart("SIGTERM", { ORCHESTRATOR_WEBHOOKS_ENDPOINTS: "{}" });
  const list = async () => (await bed.client.call(method.listUndeliveredMessages, {})).messages;
  await eventually(async () => expect(await list()).toHaveLength(3));
  const messages = await list();
  for (const { reason, problem, place } of messages)
    expect([reason, problem, place]).toEqual([
      ...[UndeliveredReason.UNSERVED, "the configuration names no endpoint for billing", "billing"],
    ]);
  await eventually(() => expect(bed.service().output()).toMatch(/place that the configuration does not name/));
  const metrics = await (await fetch(`http://127.0.0.1:${bed.service().metricsPort}/metrics`)).text();
  expect(metrics).toMatch(/^orchestrator_undelivered_messages 3$/m);
  expect(metrics).toMatch(/^orchestrator_outbox_unserved_messages{destination="webhook",place="billing"} 0$/m);
  // What is emitted meanwhile is there as well, and can be dropped.
  const later = await bed.start("tell");
  await bed.client.call(method.dropMessages, { messageIds: [messages[1]?.messageId ?? ""] });
  await bed.reaches(later, RunState.COMPLETED);
  receiver.reply(() => 200);
  await bed.restart("SIGTERM", env);
  await eventually(() => expect(receiver.taken()).toHaveLength(5), { timeoutMs: 20_000 });
  expect(
    receiver.received
      .slice(-5)
      .map(({ headers }) => headers["webhook-id"])
      .sort(),
  ).toEqual([`${later}/a/0`, `${later}/b/0`, `${later}/c/0`, `${runId}/a/0`, `${runId}/c/0`].sort());
  expect(await list()).toEqual([]);
});
