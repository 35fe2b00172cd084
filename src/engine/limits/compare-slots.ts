/**
 * Compares the slots of runs in memory with their rows. The rows are written by the commits of the runs, so they say
 * the same, unless there is a bug or somebody has changed them. Then a task may wait forever, or a limit may have a
 * holder that is none: what the journal says is written again.
 */
import type { Log } from "../../base/log.ts";
import type {
  JournaledSlot,
  JournaledSlots,
  LimitAudit,
  LimitLines,
  RunSlots,
  StoredSlot,
} from "../ports/dispatch/limits.ts";
import type { OwnedShards } from "../shard/ownership/owned-shards.ts";

/** Runs whose rows are read at once. */
const PAGE = 500;

export interface CompareSlotsParts {
  readonly audit: Pick<LimitAudit, "readSlots" | "repair">;
  readonly journaled: JournaledSlots;
  readonly lines: Pick<LimitLines, "changed">;
  readonly shards: Pick<OwnedShards, "epochOf">;
  readonly log: Log;
}

interface Difference {
  readonly run: RunSlots;
  readonly wrong: readonly JournaledSlot[];
  readonly extra: readonly StoredSlot[];
}

/** Compares all, and repairs rows. Returns how many were changed. */
export async function compareSlots(parts: CompareSlotsParts): Promise<number> {
  const differences = await findDifferences(parts);
  // Those that have a slot first, and the homes of the limits last: nobody is given a slot that only lacks its row.
  const hasSlot = ({ wrong }: Difference): boolean => wrong.some(({ state }) => state === "taken");
  differences.sort((a, b) => Number(hasSlot(b)) - Number(hasSlot(a)));
  let repaired = 0;
  for (const difference of differences) repaired += await repair(parts, difference);
  for (const { wrong, extra } of differences) for (const limit of [...wrong, ...extra]) parts.lines.changed(limit);
  return repaired;
}

async function findDifferences({ audit, journaled }: CompareSlotsParts): Promise<Difference[]> {
  const runIds = journaled.listAsking();
  const differences: Difference[] = [];
  for (let first = 0; first < runIds.length; first += PAGE) {
    const runs = runIds.slice(first, first + PAGE).flatMap((runId) => journaled.read(runId) ?? []);
    const stored = Map.groupBy(await audit.readSlots(runs.map(({ runId }) => runId)), ({ runId }) => runId);
    for (const run of runs) {
      const difference = differenceOf(run, stored.get(run.runId) ?? []);
      // A run that has moved since may have been read in between.
      if (difference !== null && journaled.read(run.runId)?.sequence === run.sequence) differences.push(difference);
    }
  }
  return differences;
}

/** Null: there is none. A slot that was given out still waits for its run. */
function differenceOf(run: RunSlots, stored: readonly StoredSlot[]): Difference | null {
  const rows = new Map(stored.map((row) => [row.path, row]));
  const wrong = run.slots.filter((slot) => {
    const row = rows.get(slot.path);
    rows.delete(slot.path);
    return row === undefined || !isSame(slot, row);
  });
  return wrong.length === 0 && rows.size === 0 ? null : { run, wrong, extra: [...rows.values()] };
}

function isSame(slot: JournaledSlot, { tenantId, name, key, state, asked }: StoredSlot): boolean {
  if (slot.tenantId !== tenantId || slot.name !== name || slot.key !== key || slot.asked !== asked) return false;
  return (slot.state === "taken") === (state === "taken");
}

async function repair(
  { audit, shards, log }: CompareSlotsParts,
  { run: { runId, shard, sequence }, wrong, extra }: Difference,
): Promise<number> {
  const epoch = shards.epochOf(shard);
  if (epoch === undefined) return 0;
  const limits = [...new Set([...wrong, ...extra].map(({ name }) => name))];
  const fields = { runId, limits, slots: wrong.length + extra.length };
  try {
    const lease = { shard, epoch };
    const changed = await audit.repair({ lease, runId, sequence, wrong, extra: extra.map(({ path }) => path) });
    if (changed > 0)
      log.error("slots of limits differed from the journal of their run; they are written again", fields);
    return changed;
  } catch (error) {
    log.warn("slots of limits differ from the journal of their run, and could not be written", { ...fields, error });
    return 0;
  }
}
