/**
 * Fail points: named places at durable boundaries where a crash test makes the process die, throw, or hang.
 *
 * They are armed by one setting that is refused outside of tests. An unarmed fail point costs one comparison.
 */

/** Every fail point, and what holds when it is reached. */
export const FAIL_POINTS = {
  "commit.before": "a batch is encoded, nothing is sent",
  "commit.after": "a batch is committed, nobody knows",
  "effects.before": "a move is durable, nothing follows from it yet",
  "answer.before": "what follows has begun, the caller is not answered yet",
  "answer.after": "the caller is answered",
  "run.decide": "a run is current and takes an event",
  "attempt.before": "an attempt is journaled, the tool was not called",
  "attempt.after": "the tool answered, its outcome is not decided",
  "timer.fire": "a timer is due",
  "start.taken": "a start collided with a key",
  "child.start": "a parent waits for a child that does not exist yet",
  "parent.tell": "a child has ended, its parent does not know",
  "lease.renew": "the life of the instance is about to be extended",
  "lease.taken": "shards are taken, none of their runs is read",
  "takeover.run": "one run of taken shards is read and not yet set in motion",
  "unknown.raised": "the epochs are raised after an unknown outcome, nothing is read back",
  "close.drained": "everything is durable at a stop, the shards are not given back",
} as const;

/** Name of a fail point. */
export type FailPoint = keyof typeof FAIL_POINTS;

interface Arm {
  readonly action: "kill" | "abort" | "throw" | "block";
  /** Counts hits of this run only; null: all hits. */
  readonly runId: string | null;
  readonly blockMs: number;
  /** Triggers when it reaches 0. */
  left: number;
}

let armed: Map<FailPoint, Arm> | null = null;

/**
 * Marks a durable boundary. Does nothing unless it is armed and this is the hit that counts; then it kills the process,
 * throws, or blocks the event loop. `runId` is the run at the boundary, if there is one.
 */
export function failPoint(name: FailPoint, runId?: string): void {
  if (armed !== null) reach(armed, name, runId);
}

/**
 * Arms fail points for the life of the process: `commit.after=kill`, `attempt.after=throw@3` (the third hit),
 * `lease.renew=block:15000@2`, `run.decide[bad]=abort` (a native abort, at the first hit of the run `bad`); commas
 * separate several of them. Throws an error that names the invalid part.
 */
export function armFailPoints(text: string): void {
  armed = parseFailPoints(text);
}

/** Parses the argument of {@link armFailPoints}. Throws an error that names the invalid part. */
export function parseFailPoints(text: string): Map<FailPoint, Arm> {
  const arms = new Map<FailPoint, Arm>();
  for (const part of text.split(",")) {
    const match = /^([a-z.]+)(?:\[([^\]]+)\])?=(kill|abort|throw|block)(?::(\d+))?(?:@(\d+))?$/.exec(part.trim());
    const name = match?.[1] ?? "";
    if (match === null || !Object.hasOwn(FAIL_POINTS, name)) {
      const known = Object.keys(FAIL_POINTS).join(", ");
      throw new Error(
        `fail point ${JSON.stringify(part)}: expected NAME[RUN]=kill|abort|throw|block:MS@HIT, [RUN] and @HIT optional, NAME one of ${known}`,
      );
    }
    const [, , runId = null, action, blockMs = 0, left = 1] = match;
    arms.set(name as FailPoint, {
      action: action as Arm["action"],
      runId,
      blockMs: Number(blockMs),
      left: Number(left),
    });
  }
  return arms;
}

function reach(arms: Map<FailPoint, Arm>, name: FailPoint, runId: string | undefined): void {
  const arm = arms.get(name);
  if (arm === undefined || (arm.runId !== null && arm.runId !== runId)) return;
  arm.left -= 1;
  if (arm.left !== 0) return;
  switch (arm.action) {
    case "kill":
      process.kill(process.pid, "SIGKILL");
      // Delivery of the signal takes a moment; nothing may happen until then.
      stand(60_000);
      return;
    case "abort":
      process.abort();
      return;
    case "block":
      stand(arm.blockMs);
      return;
    case "throw":
      throw new Error(`fail point ${name}`);
  }
}

/** Keeps the loop busy, as a non-terminating expression would: the watchdog counts processor time. */
function stand(ms: number): void {
  const endAt = performance.now() + ms;
  while (performance.now() < endAt);
}
