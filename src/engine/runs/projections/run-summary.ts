import { externalIdOf } from "../../machine/external-ids.ts";
import type { Run } from "../../machine/run.ts";
import { publicState, type TaskState } from "../../machine/state.ts";

/** Most tasks of a summary: no flow has more, but a run may, by children and visits. */
export const MAX_SUMMARY_TASKS = 2_000;
/** Longest message of an error, characters. */
const MAX_ERROR = 1_000;
/** Longest output, characters of JSON. */
export const MAX_SUMMARY_OUTPUT = 262_144;

interface TaskSummary {
  readonly status: string;
  readonly attempts: number;
  readonly error: string | null;
}

const PENDING: TaskSummary = { status: "PENDING", attempts: 0, error: null };

/**
 * The state of a run as one JSON text of bounded size, for readers outside. The words of states are those of the API;
 * tasks are named as executors know them. Of more than {@link MAX_SUMMARY_TASKS} tasks it has those of the flow and
 * then the ones that began last, and `tasks_omitted` says how many are missing. A longer output than
 * {@link MAX_SUMMARY_OUTPUT} is left out, and `output_omitted` is true.
 */
export function summarizeRun(run: Run): string {
  const { state } = run;
  const { tasks, omitted } = summarizeTasks(run);
  const output = state.output === undefined ? "null" : JSON.stringify(state.output);
  const isLong = output.length > MAX_SUMMARY_OUTPUT;
  const { error } = state;
  const head = JSON.stringify({
    run_id: state.runId,
    flow_id: state.flowId,
    status: publicState(state),
    tasks: Object.fromEntries([...tasks].map(([path, task]) => [externalIdOf(run.plan, path), task])),
    error: error === null ? null : shorten(`${error.type}: ${error.message}`),
    updated_at: new Date(state.updatedAt).toISOString(),
    ...(omitted > 0 ? { tasks_omitted: omitted } : {}),
    ...(isLong ? { output_omitted: true } : {}),
  });
  return `${head.slice(0, -1)},"output":${isLong ? "null" : output}}`;
}

interface TaskSummaries {
  /** By path: those of the flow, and then others of the run. */
  readonly tasks: ReadonlyMap<string, TaskSummary>;
  /** How many others are left out. */
  readonly omitted: number;
}

function summarizeTasks({ state, plan }: Run): TaskSummaries {
  const tasks = new Map<string, TaskSummary>();
  if (plan.kind === "dag")
    for (const { task, isCompensation } of plan.nodes)
      if (!isCompensation) tasks.set(task.id, summarizeTask(state.tasks.get(task.id)));
  const others = [...state.tasks].filter(([path]) => !tasks.has(path));
  const omitted = Math.max(0, others.length - Math.max(0, MAX_SUMMARY_TASKS - tasks.size));
  for (const [path, task] of others.slice(omitted)) tasks.set(path, summarizeTask(task));
  return { tasks, omitted };
}

function summarizeTask(task: TaskState | undefined): TaskSummary {
  if (task === undefined) return PENDING;
  return {
    status: task.state,
    attempts: task.attempt,
    error: task.error === null ? null : shorten(task.error.message),
  };
}

function shorten(text: string): string {
  return text.length > MAX_ERROR ? `${text.slice(0, MAX_ERROR - 1)}…` : text;
}
