import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ApprovalState } from "../../../src/gen/orchestrator/v1/approval_pb.ts";
import { ApprovalService } from "../../../src/gen/orchestrator/v1/approval_service_pb.ts";
import { RunState, TaskState } from "../../../src/gen/orchestrator/v1/run_pb.ts";
import { RunService } from "../../../src/gen/orchestrator/v1/run_service_pb.ts";
import { eventually } from "../../support/eventually.ts";
import { MODEL_KEY, openModelBed } from "../../support/model-service.ts";

/** Each test starts processes of its own. */
const SLOW_MS = 180_000;

const CRASH = { ORCHESTRATOR_TESTING: "true", ORCHESTRATOR_FAIL_POINTS: "attempt.after=kill" };
const CALM = { ORCHESTRATOR_FAIL_POINTS: "attempt.after=kill@99" };

const ask = (parameters: string, more = ""): string =>
  `  tasks: [{id: q, type: ai, parameters: {${parameters}}${more}}]\n  output: "\${q.output}"`;

test(
  "`on_unknown: ask` waits for an approval after a crash, `fail` fails, and neither calls the model again",
  async () => {
    const bed = await openModelBed(CRASH);
    await bed.register("ask", ask("prompt: hi, on_unknown: ask"));
    await bed.register("fail", ask("prompt: hi, on_unknown: fail"));
    const [asks, failing] = [await bed.start("ask"), await bed.start("fail")];
    const requests = [await bed.models.next(), await bed.models.next()];
    requests[0]?.say("lost");
    await bed.restart("SIGKILL", CALM);
    await bed.reaches(failing, RunState.FAILED);
    const { tasks } = await bed.client.call(RunService.method.listRunTasks, { runId: failing });
    expect(tasks).toMatchObject([{ state: TaskState.FAILED, error: { type: "OUTCOME_UNKNOWN", retryable: false } }]);
    const approval = await eventually(async () => {
      const { approvals } = await bed.client.call(ApprovalService.method.listApprovals, {});
      if (approvals[0]?.state !== ApprovalState.PENDING) throw new Error("nobody is asked");
      return approvals[0];
    });
    expect(approval).toMatchObject({ runId: asks });
    expect(bed.models.count()).toBe(2);
    const { approvalId } = approval;
    await bed.client.call(ApprovalService.method.decideApproval, { runId: asks, approvalId, decision: 1 });
    (await bed.models.next()).say("found");
    await bed.reaches(asks, RunState.COMPLETED);
    expect(await bed.outputOf(asks)).toMatchObject({ content: "found" });
  },
  SLOW_MS,
);

test(
  "an answer is journaled once, and a crash before that repeats the call with the same key",
  async () => {
    const bed = await openModelBed(CRASH);
    await bed.register("ask", ask('prompt: hello, system: "be short"'));
    const runId = await bed.start("ask");
    const first = await bed.models.next();
    expect(first.headers.authorization).toBe(`Bearer ${MODEL_KEY}`);
    expect(first.body).toMatchObject({
      model: "small",
      max_tokens: 1_000,
      messages: [
        { role: "system", content: "be short" },
        { role: "user", content: "hello" },
      ],
    });
    first.say("hi");
    await bed.restart("SIGKILL", CALM);
    const second = await bed.models.next();
    expect(second.headers["idempotency-key"]).toBe(`${runId}/q/0/call 1`);
    expect(first.headers["idempotency-key"]).toBe(second.headers["idempotency-key"]);
    second.say("hi again");
    await bed.reaches(runId, RunState.COMPLETED);
    expect(await bed.outputOf(runId)).toEqual({
      content: "hi again",
      provider: "open",
      model: "small",
      finish_reason: "stop",
      usage: { input_tokens: 10, output_tokens: 5, cost_usd: 0.00002, estimated: false },
      cached: false,
      calls: 1,
    });
    const metrics = await bed.readMetrics();
    expect(metrics).toContain("orchestrator_ai_repeated_calls_total 1");
    expect(metrics).toContain('orchestrator_ai_tokens_total{provider="open",model="small",direction="output"} 5');
    await bed.restart();
    await bed.reaches(runId, RunState.COMPLETED);
    expect(bed.models.count()).toBe(2);
  },
  SLOW_MS,
);

test(
  "a process of models that dies loses its calls, and the next call starts it again",
  async () => {
    const bed = await openModelBed();
    await bed.register("ask", ask("prompt: hi", ", retry_policy: {max_retries: 2, initial_delay: 10ms}"));
    const runId = await bed.start("ask");
    await bed.models.next();
    const memory = /^orchestrator_model_process_resident_bytes (\d{8,})$/m;
    await eventually(async () => expect(await bed.readMetrics()).toMatch(memory));
    const pids = execFileSync("pgrep", ["-P", String(bed.service().child.pid), "-f", "model-main"], {
      encoding: "utf8",
    });
    process.kill(Number(pids), "SIGKILL");
    (await bed.models.next()).say("again");
    await bed.reaches(runId, RunState.COMPLETED);
    expect(await bed.outputOf(runId)).toMatchObject({ content: "again" });
    const metrics = await bed.readMetrics();
    expect(metrics).toContain("orchestrator_model_process_starts_total 2");
    expect(metrics).toContain('{provider="open",model="small",result="MODEL_PROCESS_LOST"} 1');
  },
  SLOW_MS,
);

test(
  "a key is in no journal, log, error, or answer, whatever the provider says",
  async () => {
    const bed = await openModelBed();
    await bed.register("ask", ask("prompt: hi"));
    const [failing, answered] = [await bed.start("ask"), await bed.start("ask")];
    (await bed.models.next()).refuse(401, { error: { message: `the key ${MODEL_KEY} is wrong` } });
    (await bed.models.next()).say(`your key is ${MODEL_KEY}`);
    await bed.reaches(failing, RunState.FAILED);
    await bed.reaches(answered, RunState.COMPLETED);
    await eventually(() => expect(bed.service().output()).toContain("MODEL_UNAUTHORIZED"));
    const { tasks } = await bed.client.call(RunService.method.listRunTasks, { runId: failing });
    const answer = await bed.outputOf(answered);
    const shown = `${tasks[0]?.error?.message}${JSON.stringify(answer)}${bed.service().output()}`;
    expect(shown).toContain("[redacted]");
    expect(shown).not.toContain(MODEL_KEY);
    await bed.service().stop();
    const files = readdirSync(bed.folder, { recursive: true, encoding: "utf8", withFileTypes: true });
    const holders = files
      .filter((file) => file.isFile())
      .filter((file) => readFileSync(join(file.parentPath, file.name)).includes(MODEL_KEY));
    expect(files.length).toBeGreaterThan(100);
    expect(holders.map(({ name }) => name)).toEqual([]);
  },
  SLOW_MS,
);
