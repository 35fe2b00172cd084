/** The port to the gate for tasks that others do. */
export type { GateAnswer, GatedTask, TaskGate } from "../../machine/tasks/task-gate.ts";
