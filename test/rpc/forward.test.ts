import { create, toBinary } from "@bufbuild/protobuf";
import { AnySchema } from "@bufbuild/protobuf/wkt";
import { afterEach, beforeEach, expect, onTestFinished, test } from "vitest";
import { PassedError } from "../../src/api/errors/passed-error.ts";
import { openPeerChannels } from "../../src/api/peers/peer-channels.ts";
import { toError } from "../../src/base/errors.ts";
import { ErrorInfoSchema } from "../../src/gen/google/rpc/error_details_pb.ts";
import { StatusSchema } from "../../src/gen/google/rpc/status_pb.ts";
import { RunService } from "../../src/gen/orchestrator/v1/run_service_pb.ts";
import { eventually } from "../support/eventually.ts";
import { openClients } from "./support/clients.ts";
import { startApi, type TestApi } from "./support/start-api.ts";

let here: TestApi;
let there: TestApi;

beforeEach(async () => {
  [here, there] = await Promise.all([startApi(), startApi()]);
});

afterEach(async () => {
  await Promise.all([here.api.close(50), there.api.close(50)]);
});

test("a call for a run of another instance is answered by that instance, on every protocol", async () => {
  const [grpc] = openClients(there.address);
  await grpc?.ask(RunService.method.startRun, { flowId: "open", runId: "theirs" });
  here.engine.owner = there.address;
  for (const client of openClients(here.address)) {
    here.engine.failWith(toError("RUN_MOVED", { runId: "theirs" }));
    const headers = { "x-orchestrator-actor": "%C3%9Cna" };
    const answer = await client.ask(RunService.method.pauseRun, { runId: "theirs", reason: client.name }, { headers });
    expect(answer.ok && answer.json.run).toMatchObject({
      runId: "theirs",
      state: "RUN_STATE_PAUSED",
      holds: [{ reason: client.name, actor: "Üna" }],
    });
    client.close();
  }
  grpc?.close();
});

test("what an operation does to a run of another instance is done there, in the name of its caller", async () => {
  const [grpc] = openClients(there.address);
  await grpc?.ask(RunService.method.startRun, { flowId: "open", runId: "theirs" });
  here.engine.owner = there.address;
  const { signal } = new AbortController();
  const action = { type: "terminate", reason: "clean up" } as const;
  const caller = { tenantId: "default", actor: "Ana" };
  here.engine.failWith(toError("RUN_MOVED", { runId: "theirs" }));
  await here.runActions.apply(caller, action, "theirs", "operation/op~1", signal);
  expect(there.engine.states.get("theirs")).toMatchObject({ phase: "TERMINATED", cause: { by: "Ana" } });
  here.engine.failWith(toError("RUN_MOVED", { runId: "nobody" }));
  await expect(here.runActions.apply(caller, action, "nobody", "operation/op~1", signal)).rejects.toMatchObject({
    code: "RUN_NOT_FOUND",
  });
  grpc?.close();
});

test("what the other instance refuses is refused with its error", async () => {
  here.engine.owner = there.address;
  for (const client of openClients(here.address)) {
    here.engine.failWith(toError("RUN_MOVED", { runId: "nope" }));
    const answer = await client.ask(RunService.method.pauseRun, { runId: "nope" });
    expect(answer.ok ? "" : answer.reason).toBe("RUN_NOT_FOUND");
    client.close();
  }
});

test("two instances that take each other for the owner do not play ball", async () => {
  const [grpc] = openClients(here.address);
  here.engine.owner = there.address;
  there.engine.owner = here.address;
  here.engine.failWith(toError("RUN_MOVED", { runId: "x" }));
  there.engine.failWith(toError("RUN_MOVED", { runId: "x" }));
  const answer = await grpc?.ask(RunService.method.pauseRun, { runId: "x" });
  // The other instance refused, was asked again, and then knew that there is no such run.
  expect(answer?.ok === false && answer.reason).toBe("RUN_NOT_FOUND");
  expect(here.finished).toHaveLength(1);
  expect(there.finished).toHaveLength(2);
  grpc?.close();
});

test("an owner that cannot be reached, or is not known, leaves RUN_MOVED, which may be sent again", async () => {
  const [grpc] = openClients(here.address);
  for (const owner of [null, "127.0.0.1:1"]) {
    here.engine.owner = owner;
    here.engine.failWith(toError("RUN_MOVED", { runId: "x" }));
    const answer = await grpc?.ask(RunService.method.pauseRun, { runId: "x" });
    expect(answer?.ok === false && answer.reason).toBe("RUN_MOVED");
    expect(answer?.ok === false && answer.types).toContain("RetryInfo");
  }
  grpc?.close();
});

test("the connection to an instance that nobody calls any more is closed", async () => {
  const peers = openPeerChannels(1_024, 60);
  onTestFinished(() => peers.close());
  const { promise, resolve } = Promise.withResolvers<void>();
  const call = peers.use("127.0.0.1:1", () => promise);
  await peers.use("127.0.0.1:2", async () => undefined);
  expect(peers.size).toBe(2);
  // A call under way keeps its own.
  await eventually(() => expect(peers.size).toBe(1));
  resolve();
  await call;
  await eventually(() => expect(peers.size).toBe(0));
});

test("an error that only the other instance knows passes as it came, on every protocol", async () => {
  // Cause: a reason of a newer version became CALL_REFUSED, an UNKNOWN, on its way through an older one.
  here.engine.owner = there.address;
  const newer = create(StatusSchema, {
    code: 10,
    message: "made by a newer version",
    details: [
      create(AnySchema, {
        typeUrl: "type.googleapis.com/google.rpc.ErrorInfo",
        value: toBinary(ErrorInfoSchema, create(ErrorInfoSchema, { reason: "RUN_HELD_NEWLY", domain: "orchestrator" })),
      }),
    ],
  });
  for (const client of openClients(here.address)) {
    here.engine.failWith(toError("RUN_MOVED", { runId: "x" }));
    there.engine.failWith(new PassedError(newer));
    const answer = await client.ask(RunService.method.pauseRun, { runId: "x" });
    expect(answer, client.name).toMatchObject({
      ok: false,
      reason: "RUN_HELD_NEWLY",
      message: "made by a newer version",
    });
    client.close();
  }
});
