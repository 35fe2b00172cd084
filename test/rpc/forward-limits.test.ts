/**
 * Calls that go on to another instance have the limits of calls that stay: in size, in time, and in whom they trust.
 */
import { expect, onTestFinished, test } from "vitest";
import { toError } from "../../src/base/errors.ts";
import type { Run } from "../../src/gen/orchestrator/v1/run_pb.ts";
import { type BatchStartRunsResponse, RunService } from "../../src/gen/orchestrator/v1/run_service_pb.ts";
import { openClients, type ProtocolClient } from "./support/clients.ts";
import { startApi, type TestApi } from "./support/start-api.ts";

/** Small messages, so that the JSON of an input fits into one and the input as a message does not. */
const SMALL = { maxMessageBytes: 131_072, maxPayloadBytes: 65_536 };

async function start(...options: Parameters<typeof startApi>): Promise<TestApi> {
  const started = await startApi(...options);
  onTestFinished(() => started.api.close(50));
  return started;
}

function clientsOf({ address }: TestApi): readonly ProtocolClient[] {
  const clients = openClients(address);
  onTestFinished(() => clients.forEach((client) => void client.close()));
  return clients;
}

function clientOf(of: TestApi, name: string): ProtocolClient {
  return clientsOf(of).find((client) => client.name === name) as ProtocolClient;
}

/** A list of digits: two bytes each as JSON, eleven as a message. */
const digits = (bytes: number): number[] => Array.from({ length: bytes / 2 - 10 }, () => 7);

// Cause: the sending instance compared the size of the message with the limit, and the caller was told that the other
// instance had been lost.
test("an input that this instance takes as JSON reaches the owner of its run", async () => {
  const [here, there] = await Promise.all([start(SMALL), start(SMALL)]);
  here.engine.owner = there.address;
  for (const name of ["rest", "connect json"]) {
    const runId = `sent-by-${name.replace(" ", "-")}`;
    here.engine.failWith(toError("RUN_MOVED", { runId }));
    const input = { digits: digits(60_000), half: 0.5, text: "Zoë" };
    const request = { flowId: "open", runId, inputValue: { case: "input" as const, value: input } };
    expect(await clientOf(here, name).ask(RunService.method.startRun, request), name).toMatchObject({ ok: true });
    expect(there.engine.states.get(runId)?.vars).toEqual(input);
  }
});

test("starts of a batch that fit into one request as JSON reach their owner in parts", async () => {
  const [here, there] = await Promise.all([start(SMALL), start(SMALL)]);
  here.engine.owner = there.address;
  here.engine.others = [{ id: "there", address: there.address, leaving: false, owns: true, shards: [] }];
  here.engine.failEach((runId) => toError("RUN_MOVED", { runId }));
  const requests = [40_000, 40_000, 40_000].map((bytes, index) => ({
    flowId: "open",
    runId: `part-${index}`,
    inputValue: { case: "input" as const, value: { digits: digits(bytes) } },
  }));
  const answer = await clientOf(here, "rest").ask(RunService.method.batchStartRuns, { requests, requestId: "three" });
  expect(answer).toMatchObject({ ok: true, json: { results: requests.map(({ runId }) => ({ run: { runId } })) } });
  expect([...there.engine.states.keys()].toSorted()).toEqual(requests.map(({ runId }) => runId));
  const startsThere = there.finished.filter(({ method }) => method.endsWith("/BatchStartRuns"));
  expect(startsThere.map(({ code }) => code)).toEqual(["OK", "OK"]);
});

// Cause: each part of a batch filled a message of its own, and the whole did not fit into one.
test("a batch whose parts have answered never fails because their answers are too large together", async () => {
  const wide = { ...SMALL, maxInlinePayloadBytes: 65_536 };
  const [here, there] = await Promise.all([start(wide), start(wide)]);
  here.engine.owner = there.address;
  here.engine.others = [{ id: "there", address: there.address, leaving: false, owns: true, shards: [] }];
  here.engine.failEach((runId) => toError("RUN_MOVED", { runId }));
  const text = "x".repeat(30_000);
  const requests = Array.from({ length: 4 }, (_, index) => ({
    flowId: "done",
    runId: `wide-${index}`,
    inputValue: { case: "input" as const, value: { text } },
  }));
  const wait = { seconds: 5n };
  const readMask = { paths: ["state", "output_json", "output_ref"] };
  const answer = await clientOf(here, "grpc").ask(RunService.method.batchStartRuns, { requests, wait, readMask });
  if (!answer.ok) throw new Error(answer.message);
  const runs = (answer.message as BatchStartRunsResponse).results.map(({ result }) => result.value as Run);
  expect(runs.map(({ outputValue }) => outputValue.case)).toEqual([
    "outputJson",
    "outputJson",
    "outputJson",
    "outputRef",
  ]);
  expect(runs[0]?.runId).toBe("");
  // What stands for the last output is what reading it gives.
  const whole = await clientOf(there, "grpc").ask(RunService.method.getRun, {
    runId: "wide-3",
    readMask: { paths: ["output_ref"] },
  });
  expect(whole.ok && whole.json.run).toMatchObject({
    outputRef: (answer.json.results as never[])[3]?.["run"]?.["outputRef"],
  });
});

// Cause: the caller was told 50 ms before its deadline that the owner had been lost.
test("an owner that takes longer than the caller waits leaves DEADLINE_EXCEEDED", async () => {
  const [here, there] = await Promise.all([start(), start()]);
  const [grpc] = clientsOf(there);
  await grpc?.ask(RunService.method.startRun, { flowId: "open", runId: "slow" });
  there.engine.hang = true;
  here.engine.owner = there.address;
  for (const client of clientsOf(here)) {
    here.engine.failWith(toError("RUN_MOVED", { runId: "slow" }));
    const request = { runId: "slow", wait: { seconds: 30n } };
    const answer = await client.ask(RunService.method.waitRun, request, { timeoutMs: 400 });
    expect(answer, client.name).toMatchObject({ ok: false, code: 4 });
  }
});

// Cause: an instance on another database that got the port of one that was killed refused the proof of the caller, and
// that refusal was the answer.
test("an instance of another service at the address of the owner counts as one that is gone", async () => {
  const foreign = await start({}, {}, new Uint8Array(32).fill(8));
  const here = await start();
  here.engine.owner = foreign.address;
  here.engine.failEach((runId) => toError("RUN_MOVED", { runId }));
  const clients = clientsOf(here);
  const answers = await Promise.all(clients.map((client) => client.ask(RunService.method.pauseRun, { runId: "x" })));
  expect(answers.map((answer) => !answer.ok && answer.reason)).toEqual(clients.map(() => "RUN_MOVED"));
  expect(foreign.engine.states.size).toBe(0);
});
