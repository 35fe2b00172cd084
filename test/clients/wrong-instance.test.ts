/**
 * Clients that know one address of two: every method that the owner of a run handles, called at the instance that is
 * not its owner. The owner then dies in the middle of a call, and another instance takes its place at another port.
 */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { compileRouting } from "../../src/api/calls/routing.ts";
import { SERVICES } from "../../src/api/services/index.ts";
import { eventually } from "../support/eventually.ts";
import { createTestDatabase } from "../support/postgres.ts";
import { type ServeProcess, startServe } from "../support/serve-process.ts";
import { createFileFolder, createTemporaryFolder } from "../support/temporary-folder.ts";
import { serveTool } from "../support/tool-server.ts";
import { copyGoModule, GO, GO_MISSING } from "./go-environment.ts";
import { HERE, runProgram } from "./programs.ts";
import { PYTHON_MISSING, preparePython } from "./python-environment.ts";

type Fields = Readonly<Record<string, unknown>>;

interface Answer {
  readonly code: string;
  readonly answer?: Fields;
}

/** A program that makes calls. */
interface Caller {
  call(method: string, request: Fields): Promise<Answer>;
}

const database = await createTestDatabase();

const FLOW = {
  id: "waits",
  version: "1",
  workflow: {
    tasks: [
      { id: "go", type: "signal", parameters: { name: "go" } },
      { id: "work", type: "worker", parameters: { handler: "nobody" } },
      { id: "ask", type: "approval", parameters: { assignees: ["ann"] } },
    ],
  },
};

function openCaller(command: string, args: readonly string[], address: string): Caller {
  const child: ChildProcessWithoutNullStreams = spawn(command, args, {
    env: { ...process.env, ORCHESTRATOR_TEST_ADDR: address },
  });
  let problem = "";
  child.stderr.on("data", (chunk: Buffer) => (problem += chunk));
  onTestFinished(() => void child.kill());
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  let last: Promise<unknown> = Promise.resolve();
  return {
    call(method, request) {
      const next = last.then(async () => {
        child.stdin.write(`${JSON.stringify({ method, request })}\n`);
        const { value } = await lines.next();
        if (value === undefined) throw new Error(`${method}: ${problem}`);
        return JSON.parse(value) as Answer;
      });
      last = next.catch(() => {});
      return next;
    },
  };
}

/** Methods that somebody other than the called instance may handle. */
const ROUTED = SERVICES.flatMap(({ desc }) => desc.methods)
  .filter((method) => compileRouting(method).to !== "any_instance")
  .map((method) => `${method.parent.name}/${method.name}`);

async function openPair(env: Readonly<Record<string, string>>) {
  const start = async (): Promise<ServeProcess> => {
    const settings = { DATABASE_URL: database.url, ORCHESTRATOR_LEASE_TTL: "5s", ...env };
    const service = await startServe({ folder: createTemporaryFolder(), env: settings });
    onTestFinished(() => void service.child.kill("SIGKILL"));
    return service;
  };
  const pair = [await start(), await start()] as const;
  const owners = "SELECT count(DISTINCT instance_id)::int AS count FROM orchestrator.shard_leases";
  const share = async (): Promise<void> => {
    const { rows } = await database.database.reads.query<{ count: number }>(owners);
    expect(rows[0]?.count).toBe(2);
  };
  await eventually(share, { timeoutMs: 30_000 });
  return { pair, start, share };
}

const LANGUAGES = [
  { name: "Go", missing: GO_MISSING },
  { name: "Python", missing: PYTHON_MISSING },
] as const;

describe.each(LANGUAGES)("a client in $name that knows one of two instances", ({ name, missing }) => {
  let command = "";
  let args: readonly string[] = [];
  beforeAll(async () => {
    if (missing) return;
    if (name === "Python") {
      command = await preparePython("newest", ["protobuf>=7"]);
      args = [join(HERE, "python/calls.py")];
      return;
    }
    const folder = createFileFolder();
    command = join(folder, "calls-program");
    copyGoModule(`${HERE}go`, folder);
    await runProgram(GO, ["build", "-o", command, "./calls"], { cwd: folder });
  }, 240_000);

  test.skipIf(missing)(
    "reaches every run through it, also when its owner dies or moves",
    { timeout: 240_000 },
    async () => {
      const tool = await serveTool(200);
      const { pair, start, share } = await openPair({
        ORCHESTRATOR_HTTP_ALLOW: "127.0.0.1",
        ORCHESTRATOR_PUBLIC_URL: "http://127.0.0.1:1",
        ORCHESTRATOR_ROUTING_SERVICES: JSON.stringify({ tool: { url: `http://${tool.address}` } }),
        // Nobody listens there: drafts are asked for, and never come.
        ORCHESTRATOR_MODELS_PROVIDERS: JSON.stringify({ away: { kind: "openai", base_url: "http://127.0.0.1:1/v1" } }),
        ORCHESTRATOR_GENERATION_MODEL: "away/none",
      });
      const [owner, other] = pair;
      const there = openCaller(command, args, owner.address);
      const here = openCaller(command, args, other.address);
      const called = new Set<string>();
      const ok = async (method: string, request: Fields, caller = here): Promise<Fields> => {
        if (caller === here) called.add(method);
        const { code, answer = {} } = await caller.call(method, request);
        expect(code, `${method} ${JSON.stringify(request)}`).toBe("OK");
        return answer;
      };
      const runOf = (answer: Fields): Fields => answer.run as Fields;
      const register = (flow: object) => ok("FlowService/RegisterFlow", { source: JSON.stringify(flow) });
      await register(FLOW);
      const calls = `calls-${name.toLowerCase()}`;
      await register({
        ...FLOW,
        id: calls,
        workflow: {
          tasks: [
            {
              ...{ id: "cb", type: "http" },
              parameters: {
                method: "POST",
                url: `http://${tool.address}`,
                body: { to: "${callback.url}" },
                await_callback: true,
              },
            },
          ],
        },
      });
      // Runs are started where the call arrives.
      const startThere = async (flowId = "waits"): Promise<string> =>
        String(runOf(await ok("RunService/StartRun", { flow_id: flowId }, there)).run_id);

      const id = `${name.toLowerCase()}-${Date.now()}`;
      const ids = Array.from({ length: 12 }, (_, index) => `${id}-${index}`);
      for (const runId of ids.slice(0, 6)) await ok("RunService/StartRun", { flow_id: "waits", run_id: runId });
      const starts = ids.slice(6).map((runId) => ({ flow_id: "waits", run_id: runId }));
      const { results } = await ok("RunService/BatchStartRuns", { requests: starts });
      expect((results as Fields[]).map((one) => runOf(one).run_id)).toEqual(ids.slice(6));

      const run = { run_id: await startThere() };
      await ok("RunService/PauseRun", run);
      await ok("RunService/ResumeRun", run);
      await ok("RunService/SignalRun", { ...run, signal_name: "go", data: 1 });
      await ok("RunService/CompleteTask", { ...run, task_id: "work", output: 2 });
      const { approvals } = await ok("ApprovalService/ListApprovals", { filter: `run_id == "${run.run_id}"` });
      const [{ approval_id } = {}] = approvals as Fields[];
      await ok("ApprovalService/DecideApproval", { ...run, approval_id, decision: "APPROVAL_DECISION_APPROVED" });
      const waited = await ok("RunService/WaitRun", { ...run, wait: "20s" });
      expect(runOf(waited).state).toBe("RUN_STATE_COMPLETED");
      await ok("RunService/DeleteRun", run);
      await ok("RunService/FailTask", { run_id: await startThere(), task_id: "work", error_type: "NO" });
      await ok("RunService/CancelRun", { run_id: await startThere() });
      await ok("RunService/TerminateRun", { run_id: await startThere() });

      await startThere(calls);
      const { to } = (await tool.next()).body as Fields;
      await ok("CallbackService/AnswerCallback", { callback_token: String(to).split("/").at(-1), result: 1 });

      const operation = async (): Promise<string> => {
        const asked = {
          action: "OPERATION_ACTION_CANCEL",
          run_ids: [await startThere()],
          request_id: `${id}-${Math.random()}`,
        };
        const { operation: made } = await ok("OperationService/StartOperation", asked);
        return String((made as Fields).operation_id);
      };
      // Those of a call here are on shards of both.
      for (let count = 0; count < 4; count++) {
        const operation_id = await operation();
        await ok("OperationService/WaitOperation", { operation_id, wait: "20s" });
      }
      const cancelled = await here.call("OperationService/CancelOperation", { operation_id: await operation() });
      called.add("OperationService/CancelOperation");
      // It may have ended before.
      expect(["OK", "FailedPrecondition"]).toContain(cancelled.code);

      const routed = await ok(
        "RoutingService/RouteTask",
        { service: "tool", method: "GET", path: "/", wait: "20s" },
        there,
      );
      const { task_id } = (routed.task ?? {}) as Fields;
      await ok("RoutingService/GetRoutedTask", { task_id });
      for (let count = 0; count < 4; count++)
        await ok("RoutingService/RouteTask", {
          service: "tool",
          method: "GET",
          path: "/",
          task_id: crypto.randomUUID(),
          wait: "20s",
        });

      const submitted = await ok("GoalService/SubmitGoal", { goal: "count them" }, there);
      const { goal_id } = (submitted.goal ?? {}) as Fields;
      await ok("GoalService/GetGoal", { goal_id });
      for (let count = 0; count < 4; count++)
        await ok("GoalService/SubmitGoal", { goal: "count them", goal_id: crypto.randomUUID() });
      const begun = await ok("GenerationService/StartGeneration", { prompt: "count them" }, there);
      const { generation_id } = (begun.generation ?? {}) as Fields;
      await ok("GenerationService/GetGeneration", { generation_id });
      for (const [method, more] of [
        ["GenerationService/ApproveGeneration", { draft_hash: "0".repeat(64) }],
        ["GenerationService/RejectGeneration", {}],
      ] as const) {
        // The owner knows that there is no draft.
        expect((await here.call(method, { generation_id, ...more })).code).toBe("FailedPrecondition");
        called.add(method);
      }
      expect([...called].filter((method) => ROUTED.includes(method)).sort()).toEqual([...ROUTED].sort());

      // The owner dies in the middle of a call: the caller hears that it may ask again, and then reaches the next
      // owner.
      const kept = { run_id: await startThere() };
      const waiting = here.call("RunService/WaitRun", { ...kept, wait: "30s" });
      await ok("RunService/GetRun", kept, there);
      await owner.stop("SIGKILL");
      const { code } = await waiting;
      expect(["OK", "Unavailable"]).toContain(code);
      await eventually(async () => void (await ok("RunService/SignalRun", { ...kept, signal_name: "go" })), {
        ...{ timeoutMs: 40_000, intervalMs: 500 },
      });
      // Another one takes its place, at another port, and its runs are reached as well.
      const next = await start();
      await eventually(share, { timeoutMs: 30_000 });
      const thither = openCaller(command, args, next.address);
      const { run_id } = runOf(await ok("RunService/StartRun", { flow_id: "waits" }, thither));
      await ok("RunService/SignalRun", { run_id, signal_name: "go" });
      await ok("RunService/TerminateRun", { run_id });
    },
  );
});
