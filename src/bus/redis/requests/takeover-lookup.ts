/**
 * Tells which messages of pub/sub have started a run at an earlier owner of their shard.
 *
 * Two instances see a message at about the same time, and the earlier owner has written when it saw it into the id of
 * the run. A message is taken for one that was started if there is a run of the same message that was seen within
 * {@link SLACK_MS} of it; each run stands for one message. So of identical messages around a takeover some may be taken
 * for one, and none starts two runs.
 */
import type { StartedRuns } from "../../../engine/ports/bus/started-runs.ts";
import { idsBetween, timeOf } from "./request-ids.ts";

/** How far apart two instances may see a message, milliseconds. */
export const SLACK_MS = 10_000;

/** A message that may have started a run. */
export interface Suspect {
  readonly stem: string;
  readonly seenAt: number;
}

/** Returns true for each that has. `own`: runs that this instance has started since. */
export async function findStarted(
  runs: StartedRuns,
  tenantId: string,
  suspects: readonly Suspect[],
  own: { has(runId: string): boolean },
): Promise<readonly boolean[]> {
  const stems = Map.groupBy(
    suspects.map(({ stem, seenAt }, index) => ({ stem, seenAt, index })),
    ({ stem }) => stem,
  );
  const groups = [...stems].map(([stem, messages]) => {
    const times = messages.map(({ seenAt }) => seenAt);
    return { stem, messages, range: idsBetween(stem, Math.min(...times) - SLACK_MS, Math.max(...times) + SLACK_MS) };
  });
  const found = await runs.find(
    tenantId,
    groups.map(({ range }) => range),
  );
  const started = suspects.map(() => false);
  for (const [place, { stem, messages }] of groups.entries()) {
    const times = (found[place] ?? []).filter((id) => !own.has(id)).map((id) => timeOf(stem, id));
    for (const { index, seenAt } of messages.sort((a, b) => a.seenAt - b.seenAt)) {
      const match = times.findIndex((time) => Math.abs(time - seenAt) <= SLACK_MS);
      if (match < 0) continue;
      times.splice(match, 1);
      started[index] = true;
    }
  }
  return started;
}
