/**
 * Tells the watches of a run which of its tasks wait for a limit that has no bounds, and so gives out nothing: its
 * declaration was deleted. A watch is told once for each limit, and again after it has been declared and deleted.
 */
import type { LimitBounds } from "../../../flows/plan.ts";
import { type Run, specOf } from "../../machine/run.ts";
import type { LimitPlaces } from "../../ports/dispatch/limits.ts";
import type { Repetition } from "../../shard/repeat.ts";
import { type WarnWatchesParts, type WatchWarning, warnWatches } from "./warn-watches.ts";

/** Interval of checks, milliseconds. */
const LOOK_EVERY_MS = 5_000;

/** Limits of a run of which is asked at a time: nobody reads more warnings. */
const MAX_LIMITS = 10;

export interface UnboundNotesParts extends WarnWatchesParts {
  readonly places: LimitPlaces;
  /** See {@link LOOK_EVERY_MS}, for tests. */
  readonly everyMs?: number;
}

/** Begins to warn. */
export function warnOfUnbound({ places, everyMs = LOOK_EVERY_MS, ...parts }: UnboundNotesParts): Repetition {
  return warnWatches(parts, everyMs, async (run, before) => {
    const { tenantId, runId } = run.state;
    const warnings = new Map<string, WatchWarning>();
    for (const [name, waiting] of findWaiting(run, before)) {
      const place = await places.findPlace(tenantId, runId, waiting.task);
      if (place === null || place.maxConcurrent !== null || place.rate !== null) continue;
      const text = `limit ${name} is not declared, and the flow gives it no bound: nothing begins until it is declared`;
      warnings.set(name, { ...waiting, text });
    }
    return warnings;
  });
}

/** The first of those that wait without bounds of their own, by limit. */
function findWaiting(run: Run, before: number): ReadonlyMap<string, Pick<WatchWarning, "task" | "attempt">> {
  const { limit, limitSlot, createdAt, tasks } = run.state;
  const found = new Map<string, Pick<WatchWarning, "task" | "attempt">>();
  if (limitSlot?.state === "waiting" && createdAt <= before && isUnbound(limit))
    found.set(limitSlot.name, { task: "", attempt: 0 });
  for (const { path, attempt, readyAt, limitSlot: slot } of tasks.values()) {
    if (found.size === MAX_LIMITS) break;
    if (slot?.state !== "waiting" || readyAt > before || found.has(slot.name)) continue;
    if (isUnbound(specOf(run, path).limit)) found.set(slot.name, { task: path, attempt });
  }
  return found;
}

function isUnbound(bounds: LimitBounds | null | undefined): boolean {
  return (bounds?.maxConcurrent ?? null) === null && (bounds?.rate ?? null) === null;
}
