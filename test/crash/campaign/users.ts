/**
 * Users of the campaign: they start runs and see them through over gRPC, send again what they got no answer to, and
 * write down everything they were told.
 */
import { appendFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { DescMethodUnary } from "@bufbuild/protobuf";
import type { ApiClient } from "../../../src/api/client/client.ts";
import type { Json } from "../../../src/base/json/json.ts";
import { ApprovalDecision } from "../../../src/gen/orchestrator/v1/approval_pb.ts";
import { ApprovalService } from "../../../src/gen/orchestrator/v1/approval_service_pb.ts";
import { RunService } from "../../../src/gen/orchestrator/v1/run_service_pb.ts";
import type { Random } from "../../oracle/random.ts";
import type { FlowKind, FlowPlan } from "./flows.ts";

/** One try of one call, as its user saw it. */
export interface HistoryLine {
  readonly at: number;
  readonly op: "start" | "signal" | "approve" | "cancel";
  readonly kind: FlowKind;
  readonly n: number;
  readonly requestId: string;
  /** Empty when it is not known. */
  readonly runId: string;
  readonly attempt: number;
  /** `ok`, or the code of the error. */
  readonly outcome: string;
}

/** The users. */
export interface Users {
  readonly history: readonly HistoryLine[];
  /** Calls that wait for an answer right now. */
  readonly busy: number;
  /** Nobody begins anything new; resolves when everybody has seen his last run through. */
  finish(): Promise<void>;
}

/** Settings of {@link startUsers}. */
export interface UsersOptions {
  readonly client: ApiClient;
  readonly plans: Readonly<Record<FlowKind, FlowPlan>>;
  readonly users: number;
  /** Pause of a user between two runs, milliseconds. */
  readonly pauseMs: number;
  readonly random: Random;
  readonly historyFile: string;
  /** Begins every request id. */
  readonly name: string;
}

/**
 * What a user may be told while the service dies and comes back; everything else ends the call for good and is looked
 * at by the checker.
 */
export const PASSING: ReadonlySet<string> = new Set([
  "SERVICE_UNREACHABLE",
  "STORE_UNAVAILABLE",
  "STORE_TIMEOUT",
  "STORE_CONFLICT",
  "SHUTTING_DOWN",
  "OVERLOADED",
  "NO_SHARD",
  "PEER_LOST",
  "RUN_MOVED",
  "DEADLINE_EXCEEDED",
  "REQUEST_CANCELLED",
]);

const encode = (value: Json): Uint8Array => new TextEncoder().encode(JSON.stringify(value));

/** Starts the users. */
export function startUsers(options: UsersOptions): Users {
  const { client, plans, random, name } = options;
  const history: HistoryLine[] = [];
  let busy = 0;
  let finishing = false;
  let runs = 0;

  /** Makes a call until it is answered with something that does not pass. */
  const insist = async (
    line: Pick<HistoryLine, "op" | "kind" | "n" | "requestId" | "runId">,
    method: DescMethodUnary,
    request: object,
  ): Promise<unknown> => {
    for (let attempt = 1; ; attempt += 1) {
      let answer: unknown = null;
      let outcome = "ok";
      busy += 1;
      try {
        answer = await client.call(method, request as never, { timeoutMs: 4_000 });
      } catch (error) {
        outcome = (error as { code?: string }).code ?? String(error);
      }
      busy -= 1;
      const runId = (answer as { run?: { runId: string } } | null)?.run?.runId ?? line.runId;
      const said: HistoryLine = { at: Date.now(), ...line, runId, attempt, outcome };
      history.push(said);
      appendFileSync(options.historyFile, `${JSON.stringify(said)}\n`);
      if (!PASSING.has(outcome)) return answer;
      await sleep(20 + Math.min(attempt, 10) * 20);
    }
  };

  /** Id of the approval of a task, as soon as it asks. */
  const findApproval = async (runId: string, taskId: string): Promise<string> => {
    const filter = `run_id == "${runId}" && task_id == "${taskId}"`;
    for (;;) {
      try {
        const { approvals } = await client.call(ApprovalService.method.listApprovals, { filter }, { timeoutMs: 4_000 });
        if (approvals[0] !== undefined) return approvals[0].approvalId;
      } catch (error) {
        if (!PASSING.has((error as { code?: string }).code ?? "")) throw error;
      }
      await sleep(50);
    }
  };

  const seeThrough = async (kind: FlowKind, n: number, requestId: string): Promise<void> => {
    const plan = plans[kind];
    const about = { kind, n, requestId };
    const start = {
      flowId: kind,
      inputValue: { case: "inputJson", value: encode({ n }) },
      requestId,
      correlationId: requestId,
    };
    const begin = () => insist({ ...about, op: "start", runId: "" }, RunService.method.startRun, start);
    // Now and then twice at once, as a client does that is too quick to try again.
    const [started] = (await Promise.all(random.chance(0.2) ? [begin(), begin()] : [begin()])) as ({
      run?: { runId: string };
    } | null)[];
    const runId = started?.run?.runId ?? "";
    if (runId === "") return;
    for (const [index, { name: signalName, payload }] of (plan.signals ?? []).entries()) {
      const id = `${requestId}-s${index}`;
      const dataValue = { case: "dataJson", value: encode(fill(payload, n)) };
      const request = { runId, signalName, dataValue, requestId: id };
      await insist({ ...about, op: "signal", requestId: id, runId }, RunService.method.signalRun, request);
    }
    if (plan.approves !== undefined) {
      const id = `${requestId}-a`;
      const approvalId = await findApproval(runId, plan.approves);
      const request = { runId, approvalId, decision: ApprovalDecision.APPROVED, requestId: id };
      const method = ApprovalService.method.decideApproval;
      await insist({ ...about, op: "approve", requestId: id, runId }, method, request);
    }
    if (plan.cancels) {
      await sleep(random.int(0, 200));
      await insist({ ...about, op: "cancel", runId }, RunService.method.cancelRun, { runId, reason: "enough" });
    }
  };

  const kinds = Object.keys(plans) as FlowKind[];
  const live = async (): Promise<void> => {
    while (!finishing) {
      runs += 1;
      // Every kind comes up, in random order.
      const kind = kinds[(runs + random.int(0, 2)) % kinds.length] as FlowKind;
      await seeThrough(kind, runs, `${name}-${runs}`);
      await sleep(random.int(0, options.pauseMs * 2));
    }
  };
  const lives = Array.from({ length: options.users }, live);
  return {
    history,
    get busy() {
      return busy;
    },
    finish: async () => {
      finishing = true;
      await Promise.all(lives);
    },
  };
}

function fill(payload: Json, n: number): Json {
  if (payload === "n") return n;
  if (payload === null || typeof payload !== "object" || Array.isArray(payload)) return payload;
  return Object.fromEntries(Object.entries(payload).map(([key, value]) => [key, fill(value, n)]));
}
