/** What a watch over runs has shown: which changes are new to its reader, and which runs no longer meet the filter. */

import type { RunHeader } from "../../../engine/ports/run-index.ts";
import { isNewer } from "../../../engine/runs/headers.ts";
import type { Condition } from "../../lists/condition.ts";
import { meetsCondition } from "../../lists/condition.ts";
import { readHeader } from "../../lists/run-filter.ts";

/** How many runs are remembered, separately for those that meet the filter and the others; the oldest are forgotten. */
const MAX_REMEMBERED = 10_000;

type Seen = Pick<RunHeader, "sequence" | "updatedAt">;

/** Memory of one watch. For a forgotten run, a change may be sent again, and its leaving the filter is not reported. */
export interface ShownRuns {
  /**
   * Whether the run meets the filter; null if there is nothing to report: the change is known, or the run does not meet
   * the filter and was never shown.
   */
  judge(header: RunHeader): boolean | null;
  /** Records a run as shown. */
  note(header: RunHeader, matches: boolean): void;
  /** Whether the run meets the filter, for a reader that may know it from an earlier watch. */
  tell(header: RunHeader): boolean;
}

/** Initially empty; null is the filter that every run meets. */
export function createShownRuns(condition: Condition | null, maxRemembered = MAX_REMEMBERED): ShownRuns {
  const shown = new Map<string, Seen>();
  // A late update from an instance whose shard has moved must not bring back a run that has left.
  const others = new Map<string, Seen>();

  const note = ({ runId, sequence, updatedAt }: RunHeader, matches: boolean): void => {
    const [to, from] = matches ? [shown, others] : [others, shown];
    from.delete(runId);
    to.delete(runId);
    to.set(runId, { sequence, updatedAt });
    if (to.size > maxRemembered) to.delete(to.keys().next().value ?? "");
  };

  const meets = (header: RunHeader): boolean =>
    header.deleted !== true && (condition === null || meetsCondition(condition, readHeader(header)));

  return {
    note,
    tell(header) {
      const matches = meets(header);
      note(header, matches);
      return matches;
    },
    judge(header) {
      const before = shown.get(header.runId);
      const known = before ?? others.get(header.runId);
      if (known !== undefined && !isNewer(header, known)) return null;
      const matches = meets(header);
      note(header, matches);
      return matches || before !== undefined ? matches : null;
    },
  };
}
