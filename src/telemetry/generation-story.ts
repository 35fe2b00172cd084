/** What becomes of generations, in metrics and in the log. Neither prompts nor drafts appear in them. */
import type { Log } from "../base/log.ts";
import type { JournalRecord } from "../engine/machine/records.ts";
import type { Run } from "../engine/machine/run.ts";
import type { GenerationStatus, GenerationView } from "../engine/ports/generation/generations.ts";
import type { RunObserver } from "../engine/runs/observer.ts";
import type { Metrics } from "./metrics/metrics.ts";

/** The generation that a run is; null: it is none. */
export type GenerationOf = (run: Run) => Pick<GenerationView, "generationId" | "status" | "templateId"> | null;

/** Records by which a generation enters another status. */
const MOVES: ReadonlySet<JournalRecord["type"]> = new Set([
  "run.started",
  "task.waiting",
  "run.completed",
  "run.failed",
  "run.timed_out",
  "run.canceled",
  "run.terminated",
]);

const MESSAGES: Readonly<Record<GenerationStatus, string>> = {
  generating: "a template is being written",
  draft: "a draft waits for its approval",
  approved: "a draft has become a template",
  rejected: "a draft was rejected",
  failed: "a generation has failed",
};

/** Counts generations that enter a status, and tells of each in a line of the log. */
export function createGenerationStory(metrics: Metrics | null, log: Log, generationOf: GenerationOf): RunObserver {
  return {
    committed(run, records) {
      if (!records.some(({ type }) => MOVES.has(type))) return;
      const generation = generationOf(run);
      if (generation === null) return;
      const { status, generationId, templateId } = generation;
      metrics?.counter("orchestrator_generations_total", status).add();
      const fields = { generationId, ...(templateId === "" ? {} : { templateId }) };
      log[status === "failed" ? "warn" : "info"](MESSAGES[status], fields);
    },
  };
}
