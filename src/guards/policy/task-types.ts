/** Task types as a policy names them. */
import type { TaskTypeName } from "../../tasks/define.ts";

/** Types whose tasks send something: to a service or a model, to those who take tasks or events, or to a graph. */
export const SENDING_TYPES = [
  "http",
  "ai",
  "data",
  "exec",
  "worker",
  "queue",
  "emit",
  "graph",
] as const satisfies readonly TaskTypeName[];

/** Types of tasks that leave their flow. What a child run sends is judged by the words on the flow of the child. */
export const CALLING_TYPES = [...SENDING_TYPES, "subflow"] as const satisfies readonly TaskTypeName[];
