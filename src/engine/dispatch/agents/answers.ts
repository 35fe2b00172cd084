/**
 * Applies answers of agents to the runs of this instance. An answer counts once; one that cannot be applied for now is
 * tried again for a while.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { isOrchestratorError } from "../../../base/errors.ts";
import type { Log } from "../../../base/log.ts";
import type { AgentAnswer, AgentAnswers, AnswerResult } from "../../ports/dispatch/agents.ts";
import type { HandOverRef, HandOvers } from "../../ports/dispatch/hand-overs.ts";

/** How long an answer is tried again while the store is away, and how often, milliseconds. */
const PATIENCE_MS = 30_000;
const PAUSE_MS = 500;

export interface AnswersParts {
  readonly open: AgentAnswers["open"];
  readonly owns: (runId: string) => boolean;
  readonly handOvers: Pick<HandOvers, "alive" | "reported" | "note" | "taskOf">;
  readonly log: Log;
}

export function createAgentAnswers({ open, owns, handOvers, log }: AnswersParts): AgentAnswers {
  const apply = async (ref: HandOverRef, { outcome, note }: AgentAnswer): Promise<AnswerResult> => {
    if (outcome === null) {
      const standing = await handOvers.alive(ref, null);
      if (note !== null) handOvers.note(ref, note);
      return standing === "outdated" || standing === "unknown" ? "late" : "progress";
    }
    const standing = await handOvers.reported(ref, outcome);
    if (typeof standing === "object" || standing === "outdated") return "late";
    return standing === "unknown" ? "unknown" : "accepted";
  };
  return {
    open,
    taskOf: (ref) => handOvers.taskOf(ref),
    async take(answer) {
      const ref = open(answer.kind, answer.token);
      if (ref === null) return "unknown";
      for (const until = performance.now() + PATIENCE_MS; ; ) {
        if (!owns(ref.runId)) return "elsewhere";
        try {
          return await apply(ref, answer);
        } catch (error) {
          const isMoved = isOrchestratorError(error) && error.code === "RUN_MOVED";
          if (isMoved || performance.now() >= until) {
            if (!isMoved) log.warn("an answer of an agent could not be applied", { runId: ref.runId, error });
            return "elsewhere";
          }
          await sleep(PAUSE_MS);
        }
      }
    },
  };
}
