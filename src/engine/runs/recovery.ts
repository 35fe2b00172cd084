/**
 * Recovers runs whose work is done elsewhere and of which nothing is heard any more: a message to an executor or an
 * agent that was lost, a callback that never came, a detached task whose worker has gone for good.
 *
 *   idle        nothing was recorded for `idle_after`, no hold, and somebody has a task of whom nothing shows
 *   resume      the task is handed out again, with a higher fence; the third time uses up the attempt
 *   restart     another run of the same version starts with the same input, once; this one is terminated
 *   fail        the task fails with ORPHANED, which is not retried
 *
 * Tasks that a worker has are not among them: whether it is there is watched all the time. Each instance looks after
 * its own shards. An index finds the runs whose flows say how they recover; others cost nothing.
 */
import { RESTARTED_LABEL } from "../../base/labels.ts";
import type { Log } from "../../base/log.ts";
import { formatDuration } from "../../base/time/duration.ts";
import { contextOfRun } from "../../base/traces/run-trace.ts";
import { isReservedFlowId } from "../../flows/builtin/ids.ts";
import type { Recovery as RecoveryRule } from "../../flows/plan.ts";
import { isAtAgents, isSilent } from "../../tasks/addresses.ts";
import type { RunState, TaskState } from "../machine/state.ts";
import { CALLBACK } from "../machine/tasks/callbacks.ts";
import type { IdleRun, IdleRuns } from "../ports/dispatch/idle-runs.ts";
import type { RunControl } from "../ports/run-control.ts";
import { type Repetition, repeat } from "../shard/repeat.ts";
import type { RunObserver } from "./observer.ts";
import type { RunResident } from "./run-resident.ts";
import type { Runs } from "./runs.ts";

/** Runs that are read at once. */
const PAGE = 500;

/** No idle time is shorter: younger runs are not read. */
const SHORTEST_MS = 1_000;

/** What this instance has seen and done since it started. */
export interface RecoveryCounts {
  /** Runs and tasks that ran out of time. */
  readonly timeouts: number;
  readonly orphans: number;
  readonly restarted: number;
  readonly resumed: number;
  readonly failed: number;
  /** When it last looked, milliseconds; null: not yet. */
  readonly lastRunAt: number | null;
}

export interface RecoveryParts {
  readonly idle: IdleRuns;
  readonly runs: Pick<Runs, "residence" | "submission" | "shards" | "clock" | "flows" | "observe">;
  readonly control: Pick<RunControl, "startRun" | "tellTask" | "terminateRun">;
  readonly log: Log;
}

/** Recovery of the runs of this instance. */
export class Recovery {
  readonly #parts: RecoveryParts;
  readonly #counts = { timeouts: 0, orphans: 0, restarted: 0, resumed: 0, failed: 0 };
  #lastRunAt: number | null = null;

  constructor(parts: RecoveryParts) {
    this.#parts = parts;
    const counts = this.#counts;
    const observer: RunObserver = {
      committed(_run, records) {
        for (const record of records)
          if (record.type === "run.timed_out" || (record.type === "task.failed" && record.timedOut === true))
            counts.timeouts += 1;
      },
    };
    parts.runs.observe(observer);
  }

  get counts(): RecoveryCounts {
    return { ...this.#counts, lastRunAt: this.#lastRunAt };
  }

  /** Looks again and again. */
  repeat(everyMs: number): Repetition {
    return repeat(() => this.look(), everyMs, this.#parts.log);
  }

  /** Checks all runs that may be idle once. One that cannot be recovered is logged, and does not stop the others. */
  async look(): Promise<void> {
    const { idle, runs, log } = this.#parts;
    const before = runs.clock.now() - SHORTEST_MS;
    for (let after: IdleRun | null = null; ; ) {
      const page: readonly IdleRun[] = await idle.listIdle(runs.shards.owned, before, after, PAGE);
      for (const run of page)
        await this.#consider(run).catch((error: unknown) =>
          log.warn("an idle run could not be recovered; trying again", { runId: run.runId, error }),
        );
      after = page.at(-1) ?? null;
      if (page.length < PAGE) break;
    }
    this.#lastRunAt = runs.clock.now();
  }

  async #consider({ runId, tenantId, flowId, flowHash, updatedAt }: IdleRun): Promise<void> {
    const { runs, log } = this.#parts;
    const { recovery } = await runs.flows.planByHash(tenantId, flowId, flowHash);
    if (recovery === null || updatedAt > runs.clock.now() - recovery.idleAfterMs) return;
    const resident = await runs.residence.open(runId);
    const { state } = resident.entity;
    if (state.phase !== "RUNNING" || state.holds.length > 0) return;
    if (state.updatedAt > runs.clock.now() - recovery.idleAfterMs) return;
    const orphans = [...state.tasks.values()].filter(isOrphan);
    if (orphans.length === 0) return;
    this.#counts.orphans += 1;
    const done = await this.#recover(recovery, resident, orphans);
    log.warn("an idle run was recovered", { runId, strategy: done, tasks: orphans.map(({ path }) => path) });
  }

  async #recover(
    rule: RecoveryRule,
    resident: RunResident,
    orphans: readonly TaskState[],
  ): Promise<RecoveryRule["strategy"]> {
    const { state } = resident.entity;
    // A run that took the place of another one is not replaced again.
    const strategy = rule.strategy === "restart" && RESTARTED_LABEL in state.facts.labels ? "fail" : rule.strategy;
    if (strategy === "resume") this.#resume(resident, orphans);
    else if (strategy === "restart") await this.#restart(state);
    else await this.#fail(state, orphans, rule.idleAfterMs);
    this.#counts[({ resume: "resumed", restart: "restarted", fail: "failed" } as const)[strategy]] += 1;
    return strategy;
  }

  #resume(resident: RunResident, orphans: readonly TaskState[]): void {
    const { submission, clock } = this.#parts.runs;
    for (const { path, token, handedTo } of orphans) {
      // The service that was called may still answer: a second call would have its effect twice.
      if (handedTo === CALLBACK) continue;
      const random = Math.random();
      const at = clock.now();
      submission.post(resident, { type: "returned", at, task: path, token, reason: "WORKER_LOST", random });
    }
  }

  async #restart({ runId, createdAt, tenantId, flowId, version, vars, facts, limit }: RunState): Promise<void> {
    const { control, runs } = this.#parts;
    const { variables } = await runs.flows.planFor(tenantId, flowId, version);
    const declared = new Set(variables.map(({ name }) => name));
    const caller = { tenantId, actor: "orchestrator" };
    const { run } = await control.startRun(
      caller,
      {
        ...(isReservedFlowId(flowId) ? { builtIn: true } : {}),
        ...{ flowId, version, runId: "", fromMessage: false, refusal: null, runTimeoutMs: null, startDelayMs: 0 },
        input: Object.fromEntries(Object.entries(vars).filter(([name]) => declared.has(name))),
        // One run takes its place, also if this instance dies before the old one has ended.
        requestId: `recovery:${runId}`,
        requestHash: runId,
        runKey: facts.runKey,
        runKeyPolicy: facts.runKey === "" ? "reject" : "terminate_and_start",
        labels: { ...facts.labels, [RESTARTED_LABEL]: runId },
        userId: facts.userId,
        correlationId: facts.correlationId,
        context: facts.context,
        signals: [],
        ...(limit === null ? {} : { limit }),
        ...(facts.budget === undefined ? {} : { budget: facts.budget }),
        ...(facts.hops === undefined ? {} : { hops: facts.hops }),
        trace: contextOfRun({ runId, createdAt, trace: facts.trace }),
      },
      0,
    );
    // The start has ended it already if the two have a run key in common.
    if (facts.runKey === "") await control.terminateRun(caller, runId, `restarted as ${run.state.runId}`);
  }

  async #fail({ runId, tenantId }: RunState, orphans: readonly TaskState[], idleAfterMs: number): Promise<void> {
    const message = `nothing was heard of the task for ${formatDuration(idleAfterMs)}`;
    const error = { type: "ORPHANED", message, retryable: false };
    for (const { path } of orphans)
      await this.#parts.control.tellTask(
        { tenantId, actor: "orchestrator" },
        runId,
        path,
        { ok: false, error },
        message,
      );
  }
}

/** Somebody has the task, and nothing shows whether he still works on it. */
function isOrphan({ handedTo, detached }: TaskState): boolean {
  return handedTo !== null && (handedTo === CALLBACK || detached || isSilent(handedTo) || isAtAgents(handedTo));
}
