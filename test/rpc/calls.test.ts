import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { Client, credentials, type ServiceError, status } from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { toError } from "../../src/base/errors.ts";
import { Health } from "../../src/gen/grpc/health/v1/health_pb.ts";
import { HealthService } from "../../src/gen/orchestrator/health/v1/health_pb.ts";
import { InfoService } from "../../src/gen/orchestrator/info/v1/info_pb.ts";
import { FlowService } from "../../src/gen/orchestrator/v1/flow_service_pb.ts";
import { RunService, StartRunRequestSchema } from "../../src/gen/orchestrator/v1/run_service_pb.ts";
import { TemplateService } from "../../src/gen/orchestrator/v1/template_service_pb.ts";
import { eventually } from "../support/eventually.ts";
import { type Answer, grpcFailure, openClients, type ProtocolClient } from "./support/clients.ts";
import { startApi, TEST_CONFIG, type TestApi } from "./support/start-api.ts";

let tested: TestApi;
let clients: ReadonlyMap<string, ProtocolClient>;
const PROTOCOLS = ["grpc", "grpc-web", "connect json", "connect proto", "rest"];

beforeAll(async () => {
  tested = await startApi();
  clients = new Map(openClients(tested.address).map((client) => [client.name, client]));
});

afterAll(async () => {
  for (const client of clients.values()) client.close();
  await tested.api.close(100);
});

function reasonOf(answer: Answer): string {
  return answer.ok ? "OK" : answer.reason;
}

function jsonOf(answer: Answer) {
  if (!answer.ok) throw new Error(`${answer.reason}: ${answer.message}`);
  return answer.json as Record<string, Record<string, unknown>>;
}

describe.each(PROTOCOLS)("%s", (protocol) => {
  const ask: ProtocolClient["ask"] = (method, init, options) => {
    const client = clients.get(protocol);
    if (client === undefined) throw new Error(`no client for ${protocol}`);
    return client.ask(method, init, options);
  };
  const { method } = RunService;

  test("a start answers the run with its output, in both forms of payloads", async () => {
    const asObject = await ask(method.startRun, {
      flowId: "f",
      inputValue: { case: "input", value: { a: [1, null, { b: "é" }] } },
    });
    expect(jsonOf(asObject).run).toMatchObject({ state: "RUN_STATE_COMPLETED", output: { a: [1, null, { b: "é" }] } });
    const inputJson = Buffer.from('{"a":[1,null,{"b":"é"}]}');
    const asText = await ask(method.startRun, {
      flowId: "f",
      inputValue: { case: "inputJson", value: inputJson },
      readMask: { paths: ["output_json"] },
    });
    expect(jsonOf(asText).run).toEqual({ outputJson: inputJson.toString("base64") });
  });

  test("the same request id answers the same run, another body is refused", async () => {
    const requestId = `r-${protocol.replaceAll(" ", "-")}`;
    const first = jsonOf(await ask(method.startRun, { flowId: "f", requestId }));
    expect(jsonOf(await ask(method.startRun, { flowId: "f", requestId })).run?.runId).toBe(first.run?.runId);
    expect(reasonOf(await ask(method.startRun, { flowId: "f", requestId, userId: "x" }))).toBe("REQUEST_ID_REUSED");
  });

  test("a run is signalled, paused, resumed and cancelled", async () => {
    const started = jsonOf(await ask(method.startRun, { flowId: "open" }));
    const runId = String(started.run?.runId);
    const signalled = jsonOf(
      await ask(method.signalRun, {
        runId,
        signalName: "go",
        dataValue: { case: "dataJson", value: Buffer.from("[1]") },
      }),
    );
    expect(signalled.run?.unreadSignals).toEqual([{ signalName: "go", count: 1 }]);
    expect(jsonOf(await ask(method.pauseRun, { runId, reason: "why" })).run).toMatchObject({
      state: "RUN_STATE_PAUSED",
      holds: [{ reason: "why" }],
    });
    expect(jsonOf(await ask(method.resumeRun, { runId })).run?.state).toBe("RUN_STATE_RUNNING");
    expect(jsonOf(await ask(method.cancelRun, { runId, reason: "enough" })).run?.state).toBe("RUN_STATE_CANCELED");
    expect(jsonOf(await ask(method.cancelRun, { runId })).run?.state).toBe("RUN_STATE_CANCELED");
    expect(reasonOf(await ask(method.pauseRun, { runId }))).toBe("RUN_FINISHED");
    expect(reasonOf(await ask(method.terminateRun, { runId }))).toBe("RUN_FINISHED");
  });

  test("each start of a batch has its own result", async () => {
    const bad = { flowId: "f", inputValue: { case: "inputJson" as const, value: Buffer.from("{") } };
    const requests = [{ flowId: "f" }, { flowId: "missing" }, bad, { flowId: "f", wait: { seconds: 1n } }];
    const { results } = jsonOf(await ask(method.batchStartRuns, { requests })) as unknown as {
      results: Record<string, never>[];
    };
    expect(results.map((result) => Object.keys(result).sort().join())).toEqual([
      "run,started",
      "error",
      "error",
      "error",
    ]);
    expect(JSON.stringify(results[1])).toContain("FLOW_NOT_FOUND");
    expect(JSON.stringify(results[2])).toContain("INVALID_JSON");
    expect(JSON.stringify(results[3])).toContain("must be set on the batch");
  });

  test.each([
    ["an empty flow id", method.startRun, { flowId: "" }, "INVALID_REQUEST", "flow_id"],
    ["an unknown flow", method.startRun, { flowId: "missing" }, "FLOW_NOT_FOUND", "missing"],
    [
      "input that is no object",
      method.startRun,
      { flowId: "f", inputValue: { case: "inputJson", value: Buffer.from("[]") } },
      "INVALID_REQUEST",
      "input",
    ],
    [
      "input with NUL",
      method.startRun,
      { flowId: "f", inputValue: { case: "inputJson", value: Buffer.from('{"a":"\\u0000"}') } },
      "INVALID_JSON",
      "NUL",
    ],
    [
      "an object with NUL",
      method.startRun,
      { flowId: "f", inputValue: { case: "input", value: { a: "x\0" } } },
      "INVALID_JSON",
      "NUL",
    ],
    [
      "input with half a character",
      method.startRun,
      { flowId: "f", inputValue: { case: "inputJson", value: Buffer.from('{"a":"\\ud800"}') } },
      "INVALID_JSON",
      "surrogate",
    ],
    [
      "input that is not UTF-8",
      method.startRun,
      { flowId: "f", inputValue: { case: "inputJson", value: Buffer.from([0x7b, 0xff, 0x7d]) } },
      "INVALID_JSON",
      "UTF-8",
    ],
    [
      "input that nests too deep",
      method.startRun,
      {
        flowId: "f",
        inputValue: { case: "inputJson", value: Buffer.from(`{"a":${"[".repeat(70)}${"]".repeat(70)}}`) },
      },
      "INVALID_JSON",
      "deep",
    ],
    [
      "input over the limit",
      method.startRun,
      { flowId: "f", inputValue: { case: "inputJson", value: Buffer.from(JSON.stringify({ a: "x".repeat(70_000) })) } },
      "PAYLOAD_TOO_LARGE",
      "65536",
    ],
    [
      "a reference to a payload",
      method.startRun,
      { flowId: "f", inputValue: { case: "inputRef", value: { payloadId: "p" } } },
      "PAYLOAD_NOT_FOUND",
      "payload p ",
    ],
    [
      "context that is no object",
      method.startRun,
      { flowId: "f", executionContextJson: Buffer.from("1") },
      "INVALID_REQUEST",
      "execution_context_json",
    ],
    ["a wrong enum", method.startRun, { flowId: "f", runKeyPolicy: 77 }, "INVALID_REQUEST", "run_key_policy"],
    ["a wait that is too long", method.startRun, { flowId: "f", wait: { seconds: 51n } }, "INVALID_REQUEST", "50"],
    ["a negative page size", method.listRuns, { pageSize: -1 }, "INVALID_REQUEST", "page_size"],
    ["a foreign page token", method.listRuns, { pageToken: "AAAA" }, "PAGE_TOKEN_INVALID", "page_token"],
    ["a bad filter", method.listRuns, { filter: "nothing == 1" }, "FILTER_INVALID", "column 1"],
    [
      "an unknown field in a mask",
      method.getRun,
      { runId: "x", readMask: { paths: ["nothing"] } },
      "INVALID_REQUEST",
      "nothing",
    ],
    ["a foreign cursor", method.listRunEvents, { runId: "x", pageToken: "AAAA" }, "PAGE_TOKEN_INVALID", ""],
    ["an unknown run", method.getRun, { runId: "nope" }, "RUN_NOT_FOUND", "nope"],
    ["an unknown task", method.getRunTask, { runId: "nope", taskId: "t" }, "RUN_NOT_FOUND", "nope"],
    ["an unknown template", TemplateService.method.getTemplate, { templateId: "nope" }, "TEMPLATE_NOT_FOUND", "nope"],
    ["a file", TemplateService.method.deleteTemplate, { templateId: "report" }, "TEMPLATE_IN_FILE", "report"],
    [
      "a flow over the limit",
      FlowService.method.registerFlow,
      { definition: { case: "source", value: "x".repeat(40_000) } },
      "PAYLOAD_TOO_LARGE",
      "32768",
    ],
    [
      "a flow with problems",
      FlowService.method.registerFlow,
      { definition: { case: "document", value: { problems: true } } },
      "FLOW_INVALID",
      "2 problem",
    ],
    ["an unknown health name", HealthService.method.check, { service: "nope" }, "SERVICE_NOT_FOUND", "nope"],
  ] as const)("%s is refused", async (_name, desc, init, reason, text) => {
    // A mask with an unknown field has no proto JSON in camel case, which the JSON protocols need.
    const answer = await ask(desc as never, init as never);
    expect(reasonOf(answer)).toBe(reason);
    expect(answer.ok ? "" : answer.message).toContain(text);
  });

  test("lists go page by page, and the union of the pages is the list", async () => {
    for (let index = 0; index < 5; index += 1) await ask(method.startRun, { flowId: "f", labels: { protocol } });
    const seen: string[] = [];
    for (let pageToken = ""; ; ) {
      const page = jsonOf(await ask(method.listRuns, { pageSize: 2, pageToken })) as unknown as {
        runs: { runId: string }[];
        nextPageToken?: string;
      };
      seen.push(...page.runs.map((run) => run.runId));
      expect(page.runs.length).toBeLessThanOrEqual(2);
      if (page.nextPageToken === undefined) break;
      pageToken = page.nextPageToken;
      expect(reasonOf(await ask(method.listRuns, { pageSize: 2, pageToken, filter: 'flow_id == "f"' }))).toBe(
        "PAGE_TOKEN_INVALID",
      );
    }
    expect(new Set(seen).size).toBe(seen.length);
    expect(seen.length).toBe([...tested.engine.states.values()].length);
  });

  test("a deadline that passes is DEADLINE_EXCEEDED, and the engine is told", async () => {
    const { run } = jsonOf(await ask(method.startRun, { flowId: "open" }));
    const calls = tested.engine.signals.length;
    tested.engine.hang = true;
    const answer = await ask(method.waitRun, { runId: String(run?.runId), wait: { seconds: 20n } }, { timeoutMs: 150 });
    tested.engine.hang = false;
    expect(answer.ok ? 0 : answer.code).toBe(4);
    await eventually(() => expect(tested.engine.signals.slice(calls).map((signal) => signal.aborted)).toEqual([true]));
  });

  test("a wait ends before the deadline of its call, with the run as it is", async () => {
    const { run } = jsonOf(await ask(method.startRun, { flowId: "open" }));
    const answer = await ask(method.waitRun, { runId: String(run?.runId), wait: { seconds: 20n } }, { timeoutMs: 400 });
    expect(jsonOf(answer).run?.state).toBe("RUN_STATE_RUNNING");
  });

  test("a caller who goes away ends the wait of the engine", async () => {
    const { run } = jsonOf(await ask(method.startRun, { flowId: "open" }));
    const calls = tested.engine.signals.length;
    const leaving = new AbortController();
    const waiting = ask(
      method.waitRun,
      { runId: String(run?.runId), wait: { seconds: 20n } },
      { signal: leaving.signal },
    );
    await eventually(() => expect(tested.engine.signals.length).toBe(calls + 1));
    leaving.abort();
    expect((await waiting).ok).toBe(false);
    await eventually(() => expect(tested.engine.signals[calls]?.aborted).toBe(true));
  });

  test("health and info need nothing", async () => {
    expect(jsonOf(await ask(HealthService.method.check, { service: "orchestrator" }))).toEqual({
      status: "SERVING_STATUS_SERVING",
    });
    expect(jsonOf(await ask(HealthService.method.check, { service: "orchestrator.v1.RunService" }))).toEqual({
      status: "SERVING_STATUS_SERVING",
    });
    expect(jsonOf(await ask(InfoService.method.getInfo, {}))).toMatchObject({
      service: "orchestrator",
      version: "1.2.3",
      limits: { maxPayloadBytes: "65536" },
    });
  });
});

test("errors of the engine that are foreign are counted as INTERNAL", async () => {
  tested.engine.failWith(new Error("boom"));
  await clients.get("grpc")?.ask(RunService.method.getRun, { runId: "x" });
  expect(tested.finished.at(-1)).toEqual({ method: "/orchestrator.v1.RunService/GetRun", code: "INTERNAL" });
  tested.engine.failWith(toError("STORE_UNAVAILABLE", { problem: "away" }));
  await clients.get("grpc")?.ask(RunService.method.getRun, { runId: "x" });
  expect(tested.finished.at(-1)).toEqual({ method: "/orchestrator.v1.RunService/GetRun", code: "UNAVAILABLE" });
});

describe("gRPC by hand", () => {
  const raw = (path: string, bytes: Uint8Array): Promise<Buffer | ServiceError> =>
    new Promise((resolve) => {
      const client = new Client(tested.address, credentials.createInsecure(), { "grpc.max_send_message_length": -1 });
      const same = (buffer: Buffer): Buffer => buffer;
      client.makeUnaryRequest(path, same, same, Buffer.from(bytes), (error, response) => {
        client.close();
        resolve(error ?? (response as Buffer));
      });
    });
  const failure = async (path: string, bytes: Uint8Array): Promise<Exclude<Answer, { ok: true }>> => {
    const answer = await raw(path, bytes);
    if (answer instanceof Buffer) throw new Error("an error was expected");
    return grpcFailure(answer as ServiceError) as Exclude<Answer, { ok: true }>;
  };

  test("an unknown method is UNIMPLEMENTED with details", async () => {
    expect(await failure("/orchestrator.v1.RunService/ForkRun", new Uint8Array())).toMatchObject({
      code: status.UNIMPLEMENTED,
      reason: "METHOD_UNIMPLEMENTED",
    });
    expect(await failure("/x.Y/Z", new Uint8Array())).toMatchObject({ reason: "METHOD_UNIMPLEMENTED" });
    // Names of the prototype are methods of nobody.
    expect(await failure("/constructor", new Uint8Array())).toMatchObject({ reason: "METHOD_UNIMPLEMENTED" });
  });

  test("bytes that are no message are INVALID_ARGUMENT with details", async () => {
    expect(await failure("/orchestrator.v1.RunService/StartRun", Buffer.from([255, 255, 255]))).toMatchObject({
      code: status.INVALID_ARGUMENT,
      reason: "REQUEST_MALFORMED",
    });
    // A text field that is not UTF-8.
    expect(await failure("/orchestrator.v1.RunService/StartRun", Buffer.from([0x0a, 2, 0xc3, 0x28]))).toMatchObject({
      reason: "REQUEST_MALFORMED",
    });
  });

  test("a request over the limit is INVALID_ARGUMENT, one of the limit is not", async () => {
    const fill = (length: number): Uint8Array =>
      toBinary(StartRunRequestSchema, create(StartRunRequestSchema, { flowId: "f", userId: "x".repeat(length) }));
    const overhead = fill(100_000).length - 100_000;
    const { maxMessageBytes } = TEST_CONFIG;
    expect(await failure("/orchestrator.v1.RunService/StartRun", fill(maxMessageBytes - overhead + 1))).toMatchObject({
      code: status.INVALID_ARGUMENT,
      reason: "MESSAGE_TOO_LARGE",
    });
    expect(await failure("/orchestrator.v1.RunService/StartRun", fill(maxMessageBytes - overhead - 1))).toMatchObject({
      reason: "INVALID_REQUEST",
    });
  });

  test("an answer over the limit is INVALID_ARGUMENT with details", async () => {
    const state = tested.engine.states.values().next().value;
    if (state === undefined) throw new Error("no run");
    const { facts } = state;
    // Payloads would be referenced. Nothing else grows to this size in earnest.
    state.facts = { ...facts, userId: "x".repeat(TEST_CONFIG.maxMessageBytes) };
    const answers = await Promise.all(
      [...clients.values()].map((client) => client.ask(RunService.method.getRun, { runId: state.runId })),
    );
    state.facts = facts;
    // REST has no limit on answers.
    expect(answers.slice(0, 4).map((answer) => (answer.ok ? 0 : answer.code))).toEqual([3, 3, 3, 3]);
    expect(answers.slice(0, 4).map(reasonOf)).toEqual([
      "MESSAGE_TOO_LARGE",
      "MESSAGE_TOO_LARGE",
      "MESSAGE_TOO_LARGE",
      "MESSAGE_TOO_LARGE",
    ]);
  });

  test("the path that older documents name answers health", async () => {
    const answer = await raw("/health.v1.HealthService/Check", new Uint8Array());
    if (!(answer instanceof Buffer)) throw answer;
    expect(fromBinary(HealthService.method.check.output, answer)).toMatchObject({ status: 1 });
  });

  test("grpc.health.v1 lists all names, and watches even unknown ones", async () => {
    const list = await clients.get("grpc")?.ask(Health.method.list, {});
    expect(Object.keys((list?.ok && (list.json.statuses as object)) || {})).toContain("orchestrator.v1.FlowService");
    const client = new Client(tested.address, credentials.createInsecure());
    const same = (buffer: Buffer): Buffer => buffer;
    const watch = client.makeServerStreamRequest(
      "/grpc.health.v1.Health/Watch",
      same,
      same,
      Buffer.from(toBinary(Health.method.watch.input, create(Health.method.watch.input, { service: "nope" }))),
    );
    const seen: number[] = [];
    watch.on("data", (bytes: Buffer) => seen.push(fromBinary(Health.method.watch.output, bytes).status));
    watch.on("error", () => undefined);
    await eventually(() => expect(seen).toEqual([3]));
    watch.cancel();
    client.close();
  });

  test("a malformed deadline or an early cancel leaves nothing behind", async () => {
    const before = tested.errors.length;
    const client = clients.get("grpc");
    const gone = new AbortController();
    const asked = Array.from({ length: 50 }, () =>
      client?.ask(RunService.method.getRun, { runId: "x" }, { signal: gone.signal }),
    );
    gone.abort();
    await Promise.all(asked);
    expect(tested.errors.length).toBe(before);
  });
});
