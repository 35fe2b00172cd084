/**
 * Takes the answers of agents, and applies them here or at the owner of their run:
 *
 *   pub/sub: every instance hears an answer ──→ the owner of the run applies it; for the others it is elsewhere
 *   Stream:  one instance reads it          ──→ applied here, or sent to the owner, progress too
 */
import type { Log } from "../../../base/log.ts";
import type { BusCommands } from "../../../engine/ports/bus/commands.ts";
import type { AgentAnswer, AgentAnswers, AnswerResult } from "../../../engine/ports/dispatch/agents.ts";
import type { HandleMessages, RedisMessage, Verdict } from "../messages.ts";
import { readAnswer } from "./answers.ts";
import { AnswerRefused } from "./refused.ts";

/** Counts answers. */
export interface AgentAnswerMetrics {
  answered(kind: string, result: AnswerResult | "refused"): void;
}

export interface TakeAnswersParts {
  readonly answers: AgentAnswers;
  readonly commands: Pick<BusCommands, "answer">;
  readonly maxBytes: number;
  readonly metrics: AgentAnswerMetrics;
  readonly log: Log;
}

/** Creates what takes the answers of agents of a kind. */
export function createTakeAnswers(parts: TakeAnswersParts): (kind: string) => HandleMessages {
  return (kind) => (messages) => messages.map((message) => take(parts, kind, message));
}

async function take(parts: TakeAnswersParts, kind: string, message: RedisMessage): Promise<Verdict> {
  const { answers, maxBytes, metrics, log } = parts;
  const { source } = message;
  try {
    const { answer, problem } = readAnswer(kind, message.value, maxBytes);
    const ref = problem === null ? null : answers.open(kind, answer.token);
    // Once it is applied, nobody knows the hand-over any more.
    const task = ref === null ? null : answers.taskOf(ref);
    const result = await apply(parts, answer, message);
    if (result === "elsewhere") return "elsewhere";
    metrics.answered(kind, problem !== null && result === "accepted" ? "refused" : result);
    if (problem !== null) {
      const runId = ref?.runId ?? null;
      log.warn("an answer of an agent cannot be taken", { source, runId, task, result, reason: problem });
    }
    return "done";
  } catch (error) {
    if (!(error instanceof AnswerRefused)) {
      log.warn("an answer of an agent could not be applied; it is tried again", { source, error });
      return "elsewhere";
    }
    metrics.answered(kind, "refused");
    log.warn("an answer of an agent does not say whose it is: it is dropped", { source, reason: error.message });
    return "done";
  }
}

async function apply(
  { answers, commands }: TakeAnswersParts,
  answer: AgentAnswer,
  { entryId }: RedisMessage,
): Promise<AnswerResult> {
  const result = await answers.take(answer);
  // Every instance hears what is published; an entry of a Stream is read by one.
  if (result !== "elsewhere" || entryId === null) return result;
  const { kind, token, outcome, note } = answer;
  const ref = answers.open(kind, token);
  const told = outcome ?? (note === null ? null : { note });
  if (ref === null || told === null) return "progress";
  const named = { taskId: null, attempt: null, begunAt: 0, place: null };
  const fate = await commands.answer({ ...ref, ...named }, told);
  if (fate === "unknown") return "unknown";
  if (fate !== "taken") return "late";
  return outcome === null ? "progress" : "accepted";
}
