/** Messages that were rejected, as operators see them: over the command line, REST, and gRPC. */
import { Producer } from "@platformatic/kafka";
import { afterAll, expect, onTestFinished, test } from "vitest";
import { openGrpcClient } from "../../src/api/client/grpc-client.ts";
import { TopicService } from "../../src/gen/orchestrator/v1/topic_service_pb.ts";
import { eventually } from "../support/eventually.ts";
import { openKafkaService } from "../support/kafka-service.ts";
import { runCommand } from "../support/run-command.ts";
import { createTemporaryFolder } from "../support/temporary-folder.ts";

const service = await openKafkaService();
afterAll(() => service.close());
const { method } = TopicService;

test("rejected messages are listed with their reasons, and one is shown with its bytes", async () => {
  const { address } = await service.serve();
  const client = openGrpcClient({ address });
  const producer = new Producer<Buffer, Buffer, Buffer, Buffer>({
    ...{ clientId: "raw", bootstrapBrokers: [service.broker] },
  });
  onTestFinished(async () => {
    await client.close();
    await producer.close(true);
  });
  const bytes = Buffer.from([0, 255, 254, 10]);
  const send = (name: string, ...messages: { key?: Buffer; value?: Buffer; headers?: Map<Buffer, Buffer> }[]) => {
    const place = { topic: service.prefix + name, partition: 0 };
    return producer.send({ messages: messages.map((message) => ({ ...place, ...message })) });
  };
  await send("flow_runs", { key: bytes, value: bytes, headers: new Map([[Buffer.from("trace"), bytes]]) });
  await send("task_done", {}, { value: Buffer.alloc(0) }, { value: Buffer.from('{"run_id":"r","task_id":"t"}') });
  const list = async (request = {}) => (await client.call(method.listRejectedMessages, request)).messages;
  await eventually(async () => expect(await list()).toHaveLength(4), { timeoutMs: 30_000 });
  const ofDone = { topic: `${service.prefix}task_done` };
  expect((await list(ofDone)).map(({ offset, reason }) => [offset, reason]).sort()).toEqual([
    ["0", "NOT_JSON"],
    ["1", "NOT_JSON"],
    ["2", "UNKNOWN_TASK"],
  ]);
  expect(await list({ reason: "UNKNOWN_TASK" })).toMatchObject([
    { ...ofDone, partition: 0, offset: "2", problem: "there is no task t of a run r", sizeBytes: 28n, headers: [] },
  ]);
  expect(await list({ topic: "flow_runs" })).toEqual([]);
  const [first, ...others] = await list();
  expect(first).not.toHaveProperty("value.length");

  // Pages have everything once, and the token is bound to the query.
  const page = await client.call(method.listRejectedMessages, { pageSize: 3 });
  const rest = await client.call(method.listRejectedMessages, { pageSize: 3, pageToken: page.nextPageToken });
  expect([...page.messages, ...rest.messages].map(({ messageId }) => messageId)).toEqual(
    [first, ...others].map((message) => message?.messageId),
  );
  expect(rest.nextPageToken).toBe("");
  const foreign = client.call(method.listRejectedMessages, { ...ofDone, pageToken: page.nextPageToken });
  await expect(foreign).rejects.toMatchObject({ code: "PAGE_TOKEN_INVALID" });

  const command = (...args: string[]) =>
    runCommand(["kafka", "rejected", ...args, "--server", address], createTemporaryFolder(), {});
  const table = await command("--topic", `${service.prefix}flow_runs`);
  expect(table.out).toMatch(/MESSAGE +TOPIC +PARTITION +OFFSET +REASON/);
  const inRuns = (await list({ topic: `${service.prefix}flow_runs` }))[0]?.messageId ?? "";
  expect(table.out).toContain(inRuns);
  const shown = JSON.parse((await command(inRuns)).out) as object;
  const base64 = bytes.toString("base64");
  expect(shown).toMatchObject({
    ...{ topic: `${service.prefix}flow_runs`, reason: "NOT_JSON", key: base64, value: base64 },
    headers: [{ name: Buffer.from("trace").toString("base64"), value: base64 }],
  });
  const url = `http://${address}/v1/rejectedMessages`;
  expect(await (await fetch(`${url}/${inRuns}`)).json()).toEqual({ message: shown });
  expect(await (await fetch(`${url}?reason=UNKNOWN_TASK`)).json()).toMatchObject({ messages: [{ offset: "2" }] });

  // A value that is not there is another than an empty one.
  const [gone, empty] = (await list(ofDone)).toSorted((a, b) => Number(a.offset) - Number(b.offset));
  const lengthOf = async (messageId = "") =>
    (await client.call(method.getRejectedMessage, { messageId })).message?.value?.length;
  expect([await lengthOf(gone?.messageId), await lengthOf(empty?.messageId)]).toEqual([undefined, 0]);
  for (const messageId of ["nothing", `${inRuns}0`])
    await expect(client.call(method.getRejectedMessage, { messageId })).rejects.toMatchObject({
      code: "MESSAGE_NOT_FOUND",
    });
});
