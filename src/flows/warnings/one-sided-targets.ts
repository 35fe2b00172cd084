import { findOneSidedTargets } from "../check/check-joins.ts";
import { dagGraph } from "../check/dag-graph.ts";
import type { WarningCheck } from "./warning.ts";

/**
 * Warns about targets of a condition that never run on the side that names them, because they wait for a task of the
 * other side.
 */
export const checkOneSidedTargets: WarningCheck = ({ document }, report) => {
  const tasks = document.workflow.tasks ?? [];
  for (const { id, condition, side, needed, tolerable } of findOneSidedTargets(tasks, dagGraph(tasks))) {
    const index = tasks.findIndex((task) => task.id === condition);
    const place = tasks[index]?.[side]?.indexOf(id) ?? 0;
    const [result, other] = side === "on_success" ? ["true", "false"] : ["false", "true"];
    report(
      "TARGET_NEVER_RUNS",
      ["workflow", "tasks", index, side, place],
      `"${id}" does not run when "${condition}" is ${result}: it needs "${needed}", which runs only when it is ${other}`,
      tolerable
        ? `write trigger_rule: none_failed for "${id}" if it is to run on both sides, or remove it from ${side}`
        : `remove it from ${side}, or what it needs from the other side`,
    );
  }
};
