/** The gate as the machine knows it: it judges what tasks are about to send while their parameters are made. */
import type { Json } from "../../../base/json/json.ts";
import type { TaskTypeName } from "../../../tasks/define.ts";

/** A task whose parameters are known. */
export interface GatedTask {
  readonly runId: string;
  readonly tenantId: string;
  readonly flowId: string;
  readonly path: string;
  /** Id of the task in its flow; of a child, that of its group with the number of the child. */
  readonly taskId: string;
  /** The id by which executors and tables know the task; absent: its id. */
  readonly externalId?: string | undefined;
  readonly type: TaskTypeName;
  readonly input: Json;
}

/** What the gate makes of a value: another one, or a denial with its reason; null: the value stays. */
export type GateAnswer = { readonly value: Json } | { readonly denied: string } | null;

/** Judges tasks. The same task has the same answer as long as the policy is the same. */
export interface TaskGate {
  /** Judges a task that leaves without a call of this service. */
  judge(task: GatedTask): GateAnswer;
  /** Redacts what a call of this service will send, which is judged when it is made: all its attempts send the same. */
  redact(task: GatedTask): GateAnswer;
  /** Judges values that come from other tasks, before they enter the parameters of a task; null: nothing does. */
  resultJudge(task: Omit<GatedTask, "input">): ((value: Json) => GateAnswer) | null;
}

/** The gate denies what a task would send. */
export class GateDenied extends Error {}
