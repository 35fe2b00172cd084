import type { z } from "zod";
import type { Json, JsonObject } from "../base/json/json.ts";

/**
 * How the engine treats a task type. `pure` is evaluated in the transition itself, `effectful` is journaled as
 * dispatched before its adapter is called, `remote` is handed out to somebody else, `wait` waits for a timer, signal,
 * approval, or child run, and `group` expands into children.
 */
export type Effect = "pure" | "effectful" | "remote" | "wait" | "group";

/**
 * Carriers: the ways on which tasks leave whose work is done elsewhere. `workers` pull from a queue over a session;
 * `topics` take messages that a relay sends; `agents` hear what is published; `webhooks` and `streams` take events, as
 * topics do.
 */
export const CARRIERS = ["workers", "topics", "agents", "webhooks", "streams"] as const;

/** One of {@link CARRIERS}. */
export type Carrier = (typeof CARRIERS)[number];

/** A task as those know it who take it. */
export interface Work {
  /** Where it goes: the name of a queue or topic. */
  readonly destination: string;
  /** Name of what does it there; empty: the destination says it all. */
  readonly handler: string;
  /** What the other side gets. */
  readonly input: Json;
  /** Tasks of a destination with a higher priority leave first. */
  readonly priority: number;
  /** Labels that the other side must have: `key=value`, sorted, joined by commas; empty: none. */
  readonly labels: string;
  /** Tasks with different keys take turns; empty: it goes by time. */
  readonly fairnessKey: string;
  /** Tasks with the same key stay in order, where the carrier knows that; empty: those of a run do. */
  readonly orderKey: string;
}

/** How the tasks of a type leave. */
export interface Leaving {
  readonly carrier: Carrier;
  /** Chooses one by the keys of the parameters, which nothing computes; absent: `carrier` it is. */
  readonly carrierOf?: (parameters: JsonObject) => Carrier;
  /** What carries the tasks of a service without that carrier; absent: they wait for it. */
  readonly otherwise?: Carrier;
  /** The task is completed as soon as the carrier has it: nobody answers. */
  readonly isDoneThen?: true;
  /** Reads evaluated parameters, which fit the schema of the type unless the record that holds them is damaged. */
  readonly toWork: (parameters: JsonObject) => Pick<Work, "destination" | "input"> & Partial<Work>;
  /** What the answer of the other side gives; absent: its output as it is. */
  readonly toResult?: (parameters: JsonObject, output: Json) => WorkResult;
}

/** What carries a task with these parameters, evaluated or not, where every carrier is served. */
export function carrierOfTask({ carrier, carrierOf }: Leaving, parameters: JsonObject): Carrier {
  return carrierOf?.(parameters) ?? carrier;
}

/** What a task gives, or why the answer is none. */
export type WorkResult =
  | { readonly ok: true; readonly output: Json }
  | {
      readonly ok: false;
      readonly error: { readonly type: string; readonly message: string; readonly retryable: boolean };
    };

/** Names of the task types. */
export type TaskTypeName =
  | "http"
  | "transform"
  | "condition"
  | "parallel"
  | "map"
  | "wait"
  | "signal"
  | "approval"
  | "subflow"
  | "emit"
  | "graph"
  | "step"
  | "noop"
  | "worker"
  | "queue"
  | "data"
  | "ai"
  | "exec";

/** Keys of a task that limit or repeat its work. */
export const LIMIT_KEYS = [
  "retry_policy",
  "timeout",
  "schedule_to_start_timeout",
  "schedule_to_close_timeout",
  "heartbeat_timeout",
  "limit",
] as const;

/** One of {@link LIMIT_KEYS}. */
export type LimitKey = (typeof LIMIT_KEYS)[number];

/** A task type. Checks, JSON Schema, reference pages, and forms are all derived from it. */
export interface TaskType {
  readonly type: TaskTypeName;
  readonly effect: Effect;
  /** One line for lists. */
  readonly summary: string;
  /** Paragraphs for the reference page, Markdown. */
  readonly documentation: string;
  /** Schema of `parameters` after evaluation. */
  readonly parameters: z.ZodType;
  /** Schema of the task's output. */
  readonly result: z.ZodType;
  /** A task of this type as YAML; checked by a test. */
  readonly example: string;
  /** Default start-to-close timeout, milliseconds; null means none. */
  readonly defaultTimeoutMs: number | null;
  /** The service makes its calls itself, unless somebody else does the task. */
  readonly isCalled?: true;
  /** How its tasks leave; types whose work is done elsewhere have it. */
  readonly leaving?: Leaving;
  /** Limits that apply to the type; a flow that sets another one is refused. Defaults to the limits of its effect. */
  readonly limits: readonly LimitKey[];
}

const LIMITS_OF: Readonly<Record<Effect, readonly LimitKey[]>> = {
  // Evaluated in the run's transition: it cannot time out, and the same values give the same result.
  pure: [],
  effectful: LIMIT_KEYS,
  remote: LIMIT_KEYS,
  wait: ["timeout", "schedule_to_close_timeout"],
  group: ["timeout", "schedule_to_close_timeout"],
};

/** Declares a task type for the list in `tasks/index.ts`. */
export function defineTaskType(
  declaration: Omit<TaskType, "defaultTimeoutMs" | "limits"> & Partial<Pick<TaskType, "defaultTimeoutMs" | "limits">>,
): TaskType {
  return { defaultTimeoutMs: null, limits: LIMITS_OF[declaration.effect], ...declaration };
}
