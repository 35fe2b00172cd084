/**
 * The first steps of every call: who makes it, and whether it may. Credentials are made up here; the service has none
 * of its own yet.
 */
import { expect, onTestFinished, test } from "vitest";
import type { Identify } from "../../src/api/calls/identity.ts";
import { fail, toError } from "../../src/base/errors.ts";
import { HealthService } from "../../src/gen/orchestrator/health/v1/health_pb.ts";
import { RunService } from "../../src/gen/orchestrator/v1/run_service_pb.ts";
import { openClients, type ProtocolClient } from "./support/clients.ts";
import { startApi, type TestApi } from "./support/start-api.ts";

/**
 * `x-test-credential: tenant/actor/scope,scope`, looked up elsewhere. A credential that waits asks somebody who does
 * not answer.
 */
const identify: Identify = async (headers) => {
  const [tenantId = "", actor = "", scopes = ""] = String(headers.get("x-test-credential") ?? "").split("/");
  await new Promise<void>((resolve) => tenantId !== "waits" && setImmediate(resolve));
  if (tenantId === "refused") fail("INVALID_REQUEST", { problem: "the credential is not known", field: "" });
  return {
    caller: { tenantId, actor: decodeURIComponent(actor) },
    scopes: new Set(scopes.split(",")),
    forwarded: false,
  };
};

const as = (credential: string) => ({ headers: { "x-test-credential": credential } });

async function start(): Promise<TestApi> {
  const tested = await startApi({}, { identify });
  onTestFinished(() => tested.api.close(50));
  return tested;
}

function clientsOf({ address }: TestApi): readonly ProtocolClient[] {
  const clients = openClients(address);
  onTestFinished(() => clients.forEach((client) => void client.close()));
  return clients;
}

test("every protocol identifies its callers by the same step, which may take time", async () => {
  for (const client of clientsOf(await start())) {
    const runId = `r-${client.name.replaceAll(" ", "-")}`;
    const scopes = "runs.start,runs.read";
    const started = await client.ask(RunService.method.startRun, { flowId: "open", runId }, as(`acme/ada/${scopes}`));
    expect(started, client.name).toMatchObject({ ok: true, json: { run: { tenantId: "acme" } } });
    const foreign = await client.ask(RunService.method.getRun, { runId }, as(`other/bob/${scopes}`));
    expect(foreign, client.name).toMatchObject({ reason: "RUN_NOT_FOUND" });
    const unknown = await client.ask(RunService.method.getRun, { runId }, as("refused//"));
    expect(unknown, client.name).toMatchObject({ reason: "INVALID_REQUEST" });
  }
});

test("a caller without a scope of the method is refused before its request is read; probes need none", async () => {
  const tested = await start();
  for (const client of clientsOf(tested)) {
    // The request is invalid as well: without a flow id.
    const refused = await client.ask(RunService.method.startRun, {}, as("acme/ada/runs.read"));
    expect(refused, client.name).toMatchObject({ code: 7, reason: "SCOPE_MISSING" });
    expect(refused.ok ? "" : refused.message).toContain("runs.start");
    const probe = await client.ask(HealthService.method.check, {}, as("acme/ada/"));
    expect(probe.ok, client.name).toBe(true);
  }
  expect(tested.engine.states.size).toBe(0);
});

test("the time that identification takes is the caller's, of streams too", async () => {
  const tested = await start();
  for (const client of clientsOf(tested)) {
    const late = { timeoutMs: 100, ...as("waits//") };
    expect(await client.ask(RunService.method.getRun, { runId: "r" }, late), client.name).toMatchObject({ code: 4 });
  }
  // Here the service alone keeps the time.
  const headers = { "x-timeout-ms": "100", ...as("waits//").headers };
  for (const path of ["r", "r:watch"])
    expect((await fetch(`${tested.url}/v1/runs/${path}`, { headers })).status).toBe(504);
});

test("a call that is sent on keeps its caller, tenant and name, on the other instance", async () => {
  const [here, there] = await Promise.all([start(), start()]);
  const [theirs] = clientsOf(there);
  await theirs?.ask(RunService.method.startRun, { flowId: "open", runId: "theirs" }, as("acme/ada/runs.start"));
  here.engine.owner = there.address;
  for (const client of clientsOf(here)) {
    here.engine.failWith(toError("RUN_MOVED", { runId: "theirs" }));
    const request = { runId: "theirs", reason: client.name };
    const paused = await client.ask(RunService.method.pauseRun, request, as("acme/Zo%C3%AB/runs.control"));
    expect(paused, client.name).toMatchObject({ ok: true });
    here.engine.failWith(toError("RUN_MOVED", { runId: "theirs" }));
    const foreign = await client.ask(RunService.method.pauseRun, request, as("other/bob/runs.control"));
    expect(foreign, client.name).toMatchObject({ reason: "RUN_NOT_FOUND" });
  }
  const holds = there.engine.states.get("theirs")?.holds ?? [];
  expect([...holds.values()].map(({ by }) => by)).toContain("Zoë");
});

// Cause: anybody could say that a call was sent on by another instance.
test("a caller who claims to be another instance is refused", async () => {
  for (const client of clientsOf(await start())) {
    const headers = { "x-orchestrator-forwarded": "1", ...as("acme/ada/runs.read").headers };
    const refused = await client.ask(RunService.method.getRun, { runId: "r" }, { headers });
    expect(refused, client.name).toMatchObject({ code: 16, reason: "CALLER_UNVERIFIED" });
  }
});
