import type { z } from "zod";
import type { Effect, TaskTypeName } from "../flows/plan.ts";

/** What a task type is: the one place from which checks, JSON Schema, reference pages and forms follow. */
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
  /** Start-to-close timeout when the flow gives none, milliseconds; null: none. */
  readonly defaultTimeoutMs: number | null;
}

/** Declares a task type for the list in `tasks/index.ts`. */
export function defineTaskType(
  declaration: Omit<TaskType, "defaultTimeoutMs"> & { readonly defaultTimeoutMs?: number },
): TaskType {
  return { defaultTimeoutMs: null, ...declaration };
}
