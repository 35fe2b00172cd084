/** The list of task types. A new type is one file and one line here. */
import type { z } from "zod";
import type { FieldViolation } from "../base/errors.ts";
import type { Json } from "../base/json/json.ts";
import { ai } from "./agents/ai.ts";
import { data } from "./agents/data.ts";
import { exec } from "./agents/exec.ts";
import { approval } from "./approval.ts";
import { condition } from "./condition.ts";
import type { TaskType, TaskTypeName } from "./define.ts";
import { emit } from "./emit.ts";
import { graph } from "./graph.ts";
import { http } from "./http.ts";
import { map } from "./map.ts";
import { noop } from "./noop.ts";
import { parallel } from "./parallel.ts";
import { queue } from "./queue.ts";
import { describeIssue } from "./schema/describe-issue.ts";
import { formatPath } from "./schema/format-path.ts";
import { signal } from "./signal.ts";
import { step } from "./step.ts";
import { subflow } from "./subflow.ts";
import { transform } from "./transform.ts";
import { wait } from "./wait.ts";
import { worker } from "./worker.ts";

/** Every task type of this version. */
export const TASK_TYPES = {
  http,
  transform,
  condition,
  parallel,
  map,
  wait,
  signal,
  approval,
  subflow,
  emit,
  noop,
  graph,
  step,
  worker,
  queue,
  data,
  ai,
  exec,
} as const satisfies Record<TaskTypeName, TaskType>;

/** The task types that a flow may use. */
export const WRITABLE_TASK_TYPES: readonly Exclude<TaskTypeName, "graph" | "step">[] = [
  "http",
  "transform",
  "condition",
  "parallel",
  "map",
  "wait",
  "signal",
  "approval",
  "subflow",
  "emit",
  "noop",
  "worker",
  "queue",
  "data",
  "ai",
  "exec",
];

/** Types whose calls the service makes itself, unless somebody else does the task. */
export const CALLED_TYPES: readonly TaskTypeName[] = Object.values<TaskType>(TASK_TYPES)
  .filter(({ isCalled }) => isCalled === true)
  .map(({ type }) => type);

/** Names reserved for task types of later versions. */
export const LATER_TASK_TYPES = ["grpc", "agent", "mcp"] as const;

/** Whether `name` is a task type that a flow may use. */
export function isWritableTaskType(name: string): name is TaskTypeName {
  return (WRITABLE_TASK_TYPES as readonly string[]).includes(name);
}

/**
 * Checks evaluated parameters against the schema of their type. Returns all violations. `field` is relative to the
 * parameters (`body.amount`); empty for the parameters as a whole.
 */
export function checkParameters(type: TaskTypeName, value: Json): readonly FieldViolation[] {
  const schema: z.ZodType = TASK_TYPES[type].parameters;
  const result = schema.safeParse(value);
  if (result.success) return [];
  return result.error.issues.flatMap((issue) =>
    describeIssue(issue, value).map(({ path, describe }) => ({ field: formatPath(path), description: describe() })),
  );
}
