/**
 * The watchdog: a thread that monitors the event loop of the service and ends the process when the loop is blocked.
 *
 *   watching ──no heartbeat for the limit──→ blaming (the current run is named in the store)
 *            ──→ ended by SIGALRM, which the shell shows as exit code 142
 *
 * Time is counted in samples of this thread, each weighted by the processor time that the process used since the
 * previous one. A process that was frozen as a whole (SIGSTOP, a suspended machine) or that gets little of a busy
 * machine is therefore not considered blocked: two seconds of work remain two seconds, however long they take. A loop
 * that uses no processor time, because it waits in a system call, is ended after three times the limit. A run is blamed
 * only if it was current at every sample of a standstill of the first kind. Standard output of a thread goes through
 * the loop, so the log line is written to the file descriptor.
 */
import { writeSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { workerData } from "node:worker_threads";
import { silentLog } from "../../base/log.ts";
import { type LoopSight, readLoop } from "../../base/process/current-run.ts";
import type { EmbeddedConnection } from "../../store/embedded/embedded-postgres.ts";

/** Start parameters of the thread. */
export interface WatchdogStart {
  readonly memory: SharedArrayBuffer;
  readonly limitMs: number;
  readonly instanceId: string;
  readonly target: string | EmbeddedConnection;
  /** The log is for people: the line is not JSON. */
  readonly pretty: boolean;
}

/** Samples per limit. */
export const LOOKS = 20;
/** Samples without a heartbeat after which the process ends even if it was not working. */
export const MAX_LOOKS = 3 * LOOKS;
/**
 * Share of the limit that the process must have worked: a thread that is always busy still loses some time to other
 * threads.
 */
const BUSY_SHARE = 0.9;

/**
 * Time limit for naming the run. If that fails, the next owner tries the run alone, so naming it must not keep the
 * process alive.
 */
const BLAME_MS = 3_000;

/** A standstill that reached the limit. */
export interface Standstill {
  /**
   * The run that was current all the time; null when there was none or more than one, or when the loop waited instead
   * of working.
   */
  readonly runId: string | null;
}

/**
 * Evaluates samples of the loop, one after another. `share` is the processor time since the previous sample as a share
 * of the time between samples, at most 1. Returns the standstill when it has lasted for the limit.
 */
export function createJudge(): (sight: LoopSight, share: number) => Standstill | null {
  let beats = -1;
  let looks = 0;
  let worked = 0;
  let runId: string | null = null;
  return (sight, share) => {
    if (sight.beats !== beats || sight.debugged) {
      beats = sight.beats;
      looks = 0;
      worked = 0;
      return null;
    }
    if (looks === 0) runId = sight.runId;
    else if (runId !== sight.runId) runId = null;
    looks += 1;
    worked += share;
    if (worked >= LOOKS * BUSY_SHARE) return { runId: runId === "" ? null : runId };
    return looks < MAX_LOOKS ? null : { runId: null };
  };
}

async function watch({ memory, limitMs, instanceId, target, pretty }: WatchdogStart): Promise<void> {
  const judge = createJudge();
  const pause = new Int32Array(new SharedArrayBuffer(4));
  const lookMs = limitMs / LOOKS;
  let before = process.cpuUsage();
  for (;;) {
    // Not a timer: this thread has nothing else to do, and blocking it does not block the loop.
    Atomics.wait(pause, 0, 0, lookMs);
    const now = process.cpuUsage();
    const workedMs = (now.user - before.user + now.system - before.system) / 1_000;
    before = now;
    const standstill = judge(readLoop(memory), Math.min(1, workedMs / lookMs));
    if (standstill === null) continue;
    const { runId } = standstill;
    const named =
      runId === null ? false : await Promise.race([blame(target, instanceId, runId), sleep(BLAME_MS, false)]);
    say(instanceId, limitMs, runId, named, pretty);
    await end();
  }
}

/** Names the run in the store; returns false when that fails. */
async function blame(target: string | EmbeddedConnection, instanceId: string, runId: string): Promise<boolean> {
  try {
    const { openDatabase } = await import("../../store/sql/pool.ts");
    const { blameRun } = await import("../../store/journal/suspects.ts");
    const timeouts = { connectMs: 2_000, statementMs: 2_000, answerMs: 2_500, lockMs: 1_000 };
    const database = await openDatabase({ target, log: silentLog, timeouts, journalConnections: 1 });
    return await blameRun(database.journal, instanceId, runId);
  } catch {
    // The log line states that the run is not named.
    return false;
  }
}

function say(instanceId: string, limitMs: number, runId: string | null, named: boolean, pretty: boolean): void {
  const message =
    runId === null
      ? "the event loop stood still with no current run; the process ends"
      : named
        ? "the event loop stood still in a run; the process ends, and the next owner puts the run into quarantine"
        : "the event loop stood still in a run; the process ends. The run could not be named in the store: the next owner tries it alone";
  const fields = { ...(runId === null ? {} : { run_id: runId }), limit_ms: limitMs };
  const time = new Date().toISOString();
  const line = pretty
    ? `${time} ERROR ${message}${runId === null ? "" : ` run_id=${runId}`} limit_ms=${limitMs}\n`
    : `${JSON.stringify({ level: "error", time, instance_id: instanceId, ...fields, message })}\n`;
  try {
    writeSync(1, line);
  } catch {
    // Nobody reads the log, or its pipe is full: ending the process does not depend on it.
  }
}

/** Ends the process. A thread cannot exit on its behalf, and the loop receives nothing. */
async function end(): Promise<void> {
  try {
    process.kill(process.pid, "SIGALRM");
  } catch {
    // Windows does not support this signal.
  }
  await sleep(1_000);
  // The first process of a container ignores signals that it sends itself: only its main thread can end it, if it still
  // runs JavaScript.
  const { Session } = await import("node:inspector");
  const session = new Session();
  session.connectToMainThread();
  session.post("Runtime.evaluate", { expression: "process.reallyExit(142)" });
  await sleep(1_000);
  process.kill(process.pid, "SIGKILL");
  await sleep(60_000);
}

if (workerData !== null && typeof workerData === "object" && "limitMs" in workerData)
  void watch(workerData as WatchdogStart);
