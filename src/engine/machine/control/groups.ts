/** Groups: the children of `parallel` and `map` tasks. See docs/semantics.md §2. */
import type { Json } from "../../../base/json/json.ts";
import { weightOf } from "../../../flows/expressions/values/json.ts";
import type { JournalRecord } from "../records.ts";
import { type Run, specOf } from "../run.ts";
import { MAX_COLLECTED_BYTES, tooLarge } from "../sizes.ts";
import { failTask, ownError, type Step } from "../tasks/outcomes.ts";
import { isEnded } from "../tasks/task-ends.ts";
import { beginTask } from "../tasks/tasks.ts";

/** Examines a group: starts the next child, ends the group, or does nothing. */
export function stepGroup(run: Run, path: string, at: number): Step | null {
  const task = run.state.tasks.get(path);
  const group = task?.group;
  if (task === undefined || group === undefined || group === null || isEnded(task)) return null;
  const spec = specOf(run, path);
  const stopped = spec.failFast && group.failed >= 0;
  if (stopped && group.open > 0) {
    // Inner groups that are done end normally: it must not matter whether they were examined before the failure.
    const done = endInnerGroup(run, path, at);
    if (done !== null) {
      run.agenda.add(path);
      return done;
    }
    const records = cancelChildren(run, path, at);
    if (records.length > 0) return { records };
  }
  if (!stopped && group.next < group.count && group.open < spec.maxConcurrency) {
    const child = spec.map?.child ?? spec.children?.[group.next];
    if (child === undefined) throw new Error(`${path} has no child ${group.next}`);
    run.agenda.add(path);
    return beginTask(`${path}.${group.next}`, child, null, at);
  }
  if (group.open > 0 || (!stopped && group.next < group.count)) return null;
  if (group.failed >= 0) {
    const first = run.state.tasks.get(`${path}.${group.failed}`);
    const why = first?.error?.message ?? first?.state.toLowerCase() ?? "";
    return {
      records: [failTask(spec, path, ownError("CHILD_FAILED", `child ${group.failed} failed: ${why}`), at, {})],
    };
  }
  const outputs: Json[] = [];
  let size = 0;
  for (let index = 0; index < group.count; index += 1) {
    const output = run.state.tasks.get(`${path}.${index}`)?.output ?? null;
    size += weightOf(output);
    outputs.push(output);
  }
  if (size > MAX_COLLECTED_BYTES) {
    const error = tooLarge("what the children gave", MAX_COLLECTED_BYTES);
    return { records: [failTask(spec, path, error, at, {})] };
  }
  return { records: [{ type: "task.completed", at, task: path, output: { outputs } }] };
}

/** Returns the end of a group inside `path` whose children have all ended, or null when there is none. */
function endInnerGroup(run: Run, path: string, at: number): Step | null {
  const count = run.state.tasks.get(path)?.group?.next ?? 0;
  for (let index = 0; index < count; index += 1) {
    const inner = run.state.tasks.get(`${path}.${index}`);
    if (inner?.group === null || inner?.group === undefined || isEnded(inner)) continue;
    const { open, next, count: all, failed } = inner.group;
    const over = open === 0 && (next === all || (failed >= 0 && specOf(run, inner.path).failFast));
    const step = over ? stepGroup(run, inner.path, at) : endInnerGroup(run, inner.path, at);
    if (step !== null) return step;
  }
  return null;
}

/**
 * Adds the records that cancel the open children of a group, inner ones first. The runtime asks those that run in a
 * tool to stop.
 */
export function cancelChildren(run: Run, path: string, at: number, records: JournalRecord[] = []): JournalRecord[] {
  const group = run.state.tasks.get(path)?.group;
  for (let index = 0; group !== undefined && group !== null && index < group.next; index += 1) {
    const child = run.state.tasks.get(`${path}.${index}`);
    if (child === undefined || isEnded(child)) continue;
    if (child.group !== null) cancelChildren(run, child.path, at, records);
    records.push({ type: "task.canceled", at, task: child.path });
  }
  return records;
}
