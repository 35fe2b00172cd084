import type { Path } from "../document/parse.ts";
import type { Problems } from "../document/problems.ts";
import type { TaskDocument } from "../document/schema.ts";

/** What a path has after the id of a task: children and compensations. */
const BELOW = /(?:\.\d{1,9}|~compensate)$/;

/** Reports external ids that mean more than one task: a name of either kind, or of a child, names one. */
export function checkExternalIds(
  entries: readonly (readonly [number, Pick<TaskDocument, "id" | "external_id" | "type" | "compensate_with">])[],
  tasks: Path,
  problems: Problems,
): void {
  const byName = new Map<string, (typeof entries)[number][1]>();
  for (const [, task] of entries) if (typeof task.id === "string" && !byName.has(task.id)) byName.set(task.id, task);
  for (const [index, task] of entries) {
    const name = task.external_id;
    if (typeof name !== "string" || name === task.id) continue;
    const path = [...tasks, index, "external_id"];
    if (byName.has(name))
      problems.add(path, `${JSON.stringify(name)} is the id or the external id of another task, too`);
    else byName.set(name, task);
  }
  for (const [index, task] of entries) {
    const name = task.external_id;
    if (typeof name !== "string") continue;
    for (let of = name, part = BELOW.exec(of); part !== null; part = BELOW.exec(of)) {
      of = of.slice(0, part.index);
      const above = byName.get(of);
      if (above === undefined || above === task || !hasBelow(above)) continue;
      problems.add(
        [...tasks, index, "external_id"],
        `${JSON.stringify(name)} would be what a child or the compensation of the task ${JSON.stringify(of)} is called; choose another`,
      );
    }
  }
}

function hasBelow({ type, compensate_with: compensateWith }: Pick<TaskDocument, "type" | "compensate_with">): boolean {
  return type === "parallel" || type === "map" || compensateWith !== undefined;
}
