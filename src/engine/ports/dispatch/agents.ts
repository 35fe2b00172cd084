/** The port of agents: they hear what is published for their kind, and answer with the token of the hand-over. */
import type { Outcome } from "../../machine/events.ts";
import type { TaskProgress } from "../run-watch.ts";
import type { HandedTask } from "./hand-overs.ts";

/** A task for the agents of a kind, such as `data`. */
export interface AgentRequest {
  readonly kind: string;
  /** Names the hand-over in the answer. */
  readonly token: string;
  readonly task: HandedTask;
}

/**
 * What became of a request. `arrived`: an agent heard it, or it is in their Stream. `nobody`: no agent listens. `away`:
 * it is not known to have arrived.
 */
export type Arrival = "arrived" | "nobody" | "away";

/** The way to agents. */
export interface AgentPost {
  /** Whether requests can be published. */
  readonly isReady: boolean;
  /** Calls `listener` whenever they can be again. */
  onReady(listener: () => void): void;
  /** Whether requests of the kind go to a Stream, where they wait for agents. */
  isStream(kind: string): boolean;
  /** Never rejects, and resolves within seconds. */
  publish(request: AgentRequest): Promise<Arrival>;
  /** How many agents listen; null: nobody knows now. Never rejects. */
  countListeners(kind: string): Promise<number | null>;
  /** Asks the agent that has the task to stop, if agents can be asked. */
  cancel(kind: string, token: string, reason: string): void;
}

/** What an agent says about a task. */
export interface AgentAnswer {
  readonly kind: string;
  readonly token: string;
  /** Null: the task goes on. */
  readonly outcome: Outcome | null;
  /** Something for those who watch. */
  readonly note: TaskProgress | null;
}

/**
 * What became of an answer. `late`: its hand-over is over. `unknown`: the token names none. `elsewhere`: another
 * instance owns the run, or it cannot be applied for now.
 */
export type AnswerResult = "accepted" | "progress" | "late" | "unknown" | "elsewhere";

/** Answers of agents. */
export interface AgentAnswers {
  /** Applies an answer to a run of this instance. Resolves when that is durable; never rejects. */
  take(answer: AgentAnswer): Promise<AnswerResult>;
  /** The hand-over that a token names; null: none. */
  open(kind: string, token: string): { readonly runId: string; readonly fence: number } | null;
  /** The task of a hand-over of this instance's runs, while it lasts; null: nobody knows here. */
  taskOf(ref: { readonly runId: string; readonly fence: number }): string | null;
}
