/**
 * Applies a message, however long it takes:
 *
 *   applied ────────────→ done
 *   refused for good ───→ what is left of it is kept ──→ done
 *   it cannot be judged ─→ again, after growing pauses: the database is away, a run is moving to another instance
 */
import { setTimeout as sleep } from "node:timers/promises";
import { isOrchestratorError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import { MessageRefused } from "./message-fields.ts";

/** Pauses between attempts, milliseconds. */
const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 2_000;

/** Most problems named in a refusal. */
const MAX_PROBLEMS = 10;

/** Why a message can never be applied. */
export interface Problem {
  /** Error code. */
  readonly reason: string;
  readonly message: string;
}

export interface ApplyMessageParts {
  /** Does what the message requests, durably. */
  apply(): Promise<void>;
  /** Stores a message that can never be applied. Retried like `apply`. */
  refuse(problem: Problem): Promise<void>;
  /** Whether the message is still this instance's; absent: it is. */
  owns?(): boolean;
  /** An attempt has ended for a reason other than the message, which is tried again. */
  attempted?(): void;
  /** Whether an error has another cause than the message and was to be expected: it is not logged. */
  isExpected?(error: unknown): boolean;
  readonly stopping: AbortSignal;
  readonly log: Log;
}

/** Resolves with what became of it. `left`: another instance applies it. Never rejects. */
export async function applyMessage(parts: ApplyMessageParts): Promise<"applied" | "refused" | "left"> {
  const { apply, refuse, owns, attempted, isExpected, stopping, log } = parts;
  let problem: Problem | null = null;
  let isLogged = false;
  for (let pause = FIRST_PAUSE_MS; owns?.() !== false; pause = Math.min(2 * pause, LONGEST_PAUSE_MS)) {
    try {
      if (problem === null) {
        await apply();
        return "applied";
      }
      await refuse(problem);
      return "refused";
    } catch (error) {
      const found = problemOf(error);
      if (found !== null && problem === null) {
        problem = found;
        continue;
      }
      if (!isLogged && !isOrchestratorError(error) && isExpected?.(error) !== true)
        log.error("a message could not be applied; it is tried again", { error });
      isLogged = true;
      attempted?.();
    }
    if (stopping.aborted) break;
    await sleep(pause);
  }
  return "left";
}

/** What an error says about the message; null: nothing, so the message is retried. */
export function problemOf(error: unknown): Problem | null {
  if (error instanceof MessageRefused) return { reason: error.reason, message: error.message };
  if (!isOrchestratorError(error) || error.retry !== "no") return null;
  const { code: reason, message, violations } = error;
  const more = violations.slice(1, MAX_PROBLEMS).map(({ field, description }) => `; ${field}: ${description}`);
  return { reason, message: message + more.join("") };
}
