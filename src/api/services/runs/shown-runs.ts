/** What a watch over runs has shown: which changes are news to its reader, and which runs have left the filter. */

import type { RunHeader } from "../../../engine/ports/run-index.ts";
import { isNewer } from "../../../engine/runs/headers.ts";
import type { Condition } from "../../lists/condition.ts";
import { meetsCondition } from "../../lists/condition.ts";
import { readHeader } from "../../lists/run-filter.ts";

/** Runs that are remembered, of those that meet the filter and of the others; the oldest are forgotten. */
const MAX_REMEMBERED = 10_000;

type Seen = Pick<RunHeader, "sequence" | "updatedAt">;

/**
 * The memory of one watch. Of runs that it has forgotten a change may come again, and that they left the filter is not
 * told.
 */
export interface ShownRuns {
  /**
   * Whether the run meets the filter; null when the reader need not hear of it: it is no news, or the run was never
   * shown and does not meet the filter.
   */
  judge(header: RunHeader): boolean | null;
  /** Remembers a run without asking. */
  note(header: RunHeader, matches: boolean): void;
  /** Whether the run meets the filter, for a reader who may hold it from an earlier watch. */
  tell(header: RunHeader): boolean;
}

/** Nothing was shown yet; null is the filter that every run meets. */
export function createShownRuns(condition: Condition | null, maxRemembered = MAX_REMEMBERED): ShownRuns {
  const shown = new Map<string, Seen>();
  // A late word from an instance that was heard before its shard moved must not bring back what has left.
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
