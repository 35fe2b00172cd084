import type { Plan } from "../../../flows/plan.ts";
import { externalIdOf } from "../../machine/external-ids.ts";
import type { Run } from "../../machine/run.ts";
import { publicState, type TaskState } from "../../machine/state.ts";

/** Most tasks of a summary: no flow has more, but a run may, by children and visits. */
export const MAX_SUMMARY_TASKS = 2_000;
/** Longest message of an error, characters. */
const MAX_ERROR = 1_000;
/** Longest output, characters of JSON. */
export const MAX_SUMMARY_OUTPUT = 262_144;

/**
 * The state of a run as one JSON text of bounded size, for readers outside. The words of states are those of the API;
 * tasks are named as executors know them. Of more than {@link MAX_SUMMARY_TASKS} tasks it has those of the flow and
 * then the ones that began last, and `tasks_omitted` says how many are missing. A longer output than
 * {@link MAX_SUMMARY_OUTPUT} is left out, and `output_omitted` is true.
 */
export function summarizeRun(run: Run): string {
  const { state } = run;
  const { text: tasks, omitted } = summarizeTasks(run);
  const output = state.output === undefined ? "null" : JSON.stringify(state.output);
  const isLong = output.length > MAX_SUMMARY_OUTPUT;
  const error = state.error === null ? null : shorten(`${state.error.type}: ${state.error.message}`);
  // Written as text: nearly every run that ends passes here, and objects would be made for this alone.
  const head =
    `{"run_id":${JSON.stringify(state.runId)},"flow_id":${JSON.stringify(state.flowId)},"status":"${publicState(state)}"` +
    `,"tasks":{${tasks}},"error":${JSON.stringify(error)},"updated_at":"${new Date(state.updatedAt).toISOString()}"`;
  const more = `${omitted > 0 ? `,"tasks_omitted":${omitted}` : ""}${isLong ? ',"output_omitted":true' : ""}`;
  return `${head}${more},"output":${isLong ? "null" : output}}`;
}

interface TaskSummaries {
  /** Members of a JSON object: tasks of the flow, and then others of the run. */
  readonly text: string;
  /** How many others are left out. */
  readonly omitted: number;
}

/** A task of a flow, with its name as the key of a JSON object. */
interface FlowTask {
  readonly id: string;
  readonly key: string;
}

const flowTasks = new WeakMap<Plan, readonly FlowTask[]>();

function flowTasksOf(plan: Plan): readonly FlowTask[] {
  const known = flowTasks.get(plan);
  if (known !== undefined) return known;
  const nodes = plan.kind === "dag" ? plan.nodes.filter(({ isCompensation }) => !isCompensation) : [];
  const tasks = nodes.map(({ task: { id } }) => ({ id, key: keyOf(plan, id) }));
  flowTasks.set(plan, tasks);
  return tasks;
}

function keyOf(plan: Plan, path: string): string {
  return `${JSON.stringify(externalIdOf(plan, path))}:`;
}

function summarizeTasks({ state, plan }: Run): TaskSummaries {
  const ofFlow = flowTasksOf(plan);
  let text = "";
  let begun = 0;
  for (const { id, key } of ofFlow) {
    const task = state.tasks.get(id);
    if (task !== undefined) begun += 1;
    text += `${text === "" ? "" : ","}${key}${summarizeTask(task)}`;
  }
  if (begun === state.tasks.size) return { text, omitted: 0 };
  const ids = new Set(ofFlow.map(({ id }) => id));
  const others = [...state.tasks].filter(([path]) => !ids.has(path));
  const omitted = Math.max(0, others.length - Math.max(0, MAX_SUMMARY_TASKS - ofFlow.length));
  for (const [path, task] of others.slice(omitted))
    text += `${text === "" ? "" : ","}${keyOf(plan, path)}${summarizeTask(task)}`;
  return { text, omitted };
}

function summarizeTask(task: TaskState | undefined): string {
  if (task === undefined) return '{"status":"PENDING","attempts":0,"error":null}';
  const error = task.error === null ? "null" : JSON.stringify(shorten(task.error.message));
  return `{"status":"${task.state}","attempts":${task.attempt},"error":${error}}`;
}

function shorten(text: string): string {
  return text.length > MAX_ERROR ? `${text.slice(0, MAX_ERROR - 1)}…` : text;
}
