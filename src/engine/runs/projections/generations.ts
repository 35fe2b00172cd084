import type { JournalRecord } from "../../machine/records.ts";
import type { Run } from "../../machine/run.ts";
import type { GenerationView } from "../../ports/generation/generations.ts";
import type { RowMaker } from "../../ports/projections.ts";
import { generationOf, isGeneration } from "../generations/generation.ts";

/** Generations, for lists. The row is written whenever the status changes. */
export const generationRows: RowMaker<Run, JournalRecord, GenerationView> = {
  projection: "generations",
  on: {
    "run.started": toRow,
    "task.waiting": toRow,
    "run.completed": toRow,
    "run.failed": toRow,
    "run.canceled": toRow,
    "run.timed_out": toRow,
    "run.terminated": toRow,
  },
  keyOf: ({ generationId }) => generationId,
};

function toRow({ state }: Run): GenerationView | null {
  return isGeneration(state) ? generationOf(state) : null;
}
