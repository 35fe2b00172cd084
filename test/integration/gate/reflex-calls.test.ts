/** Calls that Reflex judges: away, they are deferred and use up no attempt; back, it is asked once for all attempts. */
import { writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { RunState, TaskState } from "../../../src/gen/orchestrator/v1/run_pb.ts";
import { RunService } from "../../../src/gen/orchestrator/v1/run_service_pb.ts";
import { eventually } from "../../support/eventually.ts";
import { startServe } from "../../support/serve-process.ts";
import { createFileFolder, createTemporaryFolder } from "../../support/temporary-folder.ts";
import { serveTool } from "../../support/tool-server.ts";
import { openWorkerBed } from "../../support/worker-service.ts";

/** A Reflex that blocks texts with the word `forbidden`, and answers only while it is `up`. */
async function serveReflex(): Promise<{ url: string; texts: string[]; up: boolean }> {
  const reflex = { url: "", texts: [] as string[], up: false };
  const server = createServer((request, response) => {
    let body = "";
    request.setEncoding("utf8").on("data", (part: string) => (body += part));
    request.on("end", () => {
      if (!reflex.up || request.url === "/health") return void response.writeHead(reflex.up ? 200 : 503).end();
      const { text } = JSON.parse(body) as { text: string };
      reflex.texts.push(text);
      const isBlocked = text.includes("forbidden");
      const answer = {
        ...{ request_id: "r", status: isBlocked ? "Blocked" : "Success", pii_detected: false, pii_matches: [] },
        ...{ injection_detected: false, injection_matches: [], cache_hit: false, processing_time_ms: 1 },
      };
      response.end(JSON.stringify(answer));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  reflex.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return reflex;
}

function writePolicy(): string {
  const policy = join(createTemporaryFolder(), "gate.yaml");
  writeFileSync(policy, "version: 1\ncalls: {flows: {notes: {rules: {pii: redact}, reflex: ask}}}\n");
  return policy;
}

test("calls wait for Reflex without using up an attempt, go out when it is back, and not if it blocks them", async () => {
  const tool = await serveTool(null);
  const reflex = await serveReflex();
  const bed = await openWorkerBed({
    ...{ ORCHESTRATOR_GATE_POLICY: writePolicy(), ORCHESTRATOR_REFLEX_URL: reflex.url },
    ORCHESTRATOR_HTTP_ALLOW: "127.0.0.1",
  });
  const workflow = `  tasks:
    - id: send
      type: http
      parameters: {method: POST, url: "http://${tool.address}/notes", body: {note: "\${note}"}}
      retry_policy: {max_retries: 1, initial_delay: 100ms}
`;
  await bed.register("notes", workflow, "variables: [{name: note, type: string}]\n");
  const runId = await bed.start("notes", { note: "ask ada@example.com" });
  const taskOf = async (id: string) => (await bed.client.call(RunService.method.listRunTasks, { runId: id })).tasks[0];
  await eventually(
    async () =>
      expect(await taskOf(runId)).toMatchObject({
        state: TaskState.RETRYING,
        error: { type: "REFLEX_UNAVAILABLE", message: expect.stringContaining("it answered 503") },
      }),
    { timeoutMs: 20_000 },
  );
  expect(tool.count()).toBe(0);
  reflex.up = true;
  const first = await tool.next();
  expect(first.body).toEqual({ note: "ask [EMAIL]" });
  first.answer(503);
  (await tool.next()).answer(200, "{}");
  await bed.reaches(runId, RunState.COMPLETED);
  expect(await taskOf(runId)).toMatchObject({ attempt: 2 });
  expect(reflex.texts).toHaveLength(1);
  expect(reflex.texts[0]).toContain("[EMAIL]");

  const blocked = await bed.start("notes", { note: "forbidden" });
  const run = await bed.reaches(blocked, RunState.FAILED);
  const message = "the gate policy denies the call: Reflex: blocked by the Reflex layer";
  expect(run.error).toMatchObject({ type: "GATE_DENIED", message });
  expect(tool.count()).toBe(2);

  const metrics = await (await fetch(`http://127.0.0.1:${bed.service().metricsPort}/metrics`)).text();
  const countOf = (series: string): number =>
    Number(
      metrics
        .split("\n")
        .find((line) => line.startsWith(series))
        ?.split(" ")[1],
    );
  const reflexed = (result: string): number => countOf(`orchestrator_reflex_call_seconds_count{result="${result}"}`);
  const gated = (result: string): number =>
    countOf(`orchestrator_gate_seconds_count{checked="call",result="${result}"}`);
  expect([reflexed("safe"), reflexed("blocked")]).toEqual([1, 1]);
  expect(reflexed("error")).toBeGreaterThan(0);
  // Deferred while Reflex was away; then two attempts of one call, and the blocked one.
  expect(gated("unavailable")).toBeGreaterThan(0);
  expect(gated("verdict")).toBe(3);
}, 180_000);

test("a policy that needs Reflex for calls is refused at a start without it", async () => {
  const env = { ORCHESTRATOR_GATE_POLICY: writePolicy() };
  const start = startServe({ folder: createFileFolder(), port: 0, env });
  await expect(start).rejects.toThrow(
    "gate.policy: flow notes has reflex: ask, and Reflex is not configured; set gate.reflex_url",
  );
});
