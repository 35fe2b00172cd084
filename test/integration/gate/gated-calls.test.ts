/** Calls of a flow that a policy names: denied, or sent without what it redacts, by every attempt and after a restart. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { RunState } from "../../../src/gen/orchestrator/v1/run_pb.ts";
import { RunService } from "../../../src/gen/orchestrator/v1/run_service_pb.ts";
import { createTemporaryFolder } from "../../support/temporary-folder.ts";
import { serveTool } from "../../support/tool-server.ts";
import { openWorkerBed } from "../../support/worker-service.ts";

test("a call is sent without what the policy redacts, again after a kill, and one that it denies fails its task", async () => {
  const tool = await serveTool(null);
  const policy = join(createTemporaryFolder(), "gate.yaml");
  writeFileSync(policy, "version: 1\ncalls: {flows: {notes: {rules: {pii: redact, secret: deny}}}}\n");
  const bed = await openWorkerBed({ ORCHESTRATOR_GATE_POLICY: policy, ORCHESTRATOR_HTTP_ALLOW: "127.0.0.1" });
  const workflow = `  tasks:
    - id: send
      type: http
      parameters: {method: POST, url: "http://${tool.address}/notes", body: {note: "\${note}"}}
      retry_policy: {max_retries: 3, initial_delay: 100ms}
`;
  await bed.register("notes", workflow, "variables: [{name: note, type: string}]\n");
  const runId = await bed.start("notes", { note: "ask ada@example.com" });
  expect((await tool.next()).body).toEqual({ note: "ask [EMAIL]" });
  await bed.restart("SIGKILL");
  const again = await tool.next();
  expect(again.body).toEqual({ note: "ask [EMAIL]" });
  again.answer(200, "{}");
  await bed.reaches(runId, RunState.COMPLETED);

  const denied = await bed.start("notes", { note: "password=a1b2c3d4e5" });
  await bed.reaches(denied, RunState.FAILED);
  const { tasks } = await bed.client.call(RunService.method.listRunTasks, { runId: denied });
  expect(tasks).toMatchObject([
    { attempt: 1, error: { type: "GATE_DENIED", message: expect.stringContaining("secret.assignment in body.note") } },
  ]);
  expect(tool.count()).toBe(2);
  expect(bed.service().output()).not.toContain("a1b2c3d4e5");
});
