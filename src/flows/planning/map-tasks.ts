import type { Plan, TaskSpec } from "../plan.ts";

/** The plan with another spec for each task, children before those that have them. */
export function mapTasks(plan: Plan, change: (spec: TaskSpec) => TaskSpec): Plan {
  const changed = (spec: TaskSpec): TaskSpec => {
    const { children, map } = spec;
    return change({
      ...spec,
      children: children?.map(changed) ?? null,
      map: map === null ? null : { ...map, child: changed(map.child) },
    });
  };
  switch (plan.kind) {
    case "dag":
      return { ...plan, nodes: plan.nodes.map((node) => ({ ...node, task: changed(node.task) })) };
    case "fsm":
      return {
        ...plan,
        states: plan.states.map((state) => ({ ...state, task: state.task === null ? null : changed(state.task) })),
        compensations: plan.compensations.map(changed),
      };
    case "graph":
      return plan;
  }
}
