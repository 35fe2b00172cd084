/** The tasks of a plan. */
import type { Plan, TaskSpec } from "../plan.ts";

/** All tasks: children of groups and maps, tasks of states, and compensations included. */
export function listTasks(plan: Plan): readonly TaskSpec[] {
  switch (plan.kind) {
    case "dag":
      return plan.nodes.flatMap(({ task }) => withChildren(task));
    case "fsm":
      return [...plan.states.flatMap(({ task }) => task ?? []), ...plan.compensations].flatMap(withChildren);
    case "graph":
      return withChildren(plan.task);
  }
}

function withChildren(task: TaskSpec): readonly TaskSpec[] {
  const { children, map } = task;
  return [task, ...(children ?? []).flatMap(withChildren), ...(map === null ? [] : withChildren(map.child))];
}
