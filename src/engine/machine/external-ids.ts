/**
 * Names of tasks outside. A task of a flow may have an external id: executors, tables, and metrics know it, its
 * children, and its compensation by that.
 *
 *   path                          external
 *   send-e-mail-0f3a              Send E-Mail
 *   send-e-mail-0f3a.2            Send E-Mail.2
 *   send-e-mail-0f3a~compensate   Send E-Mail~compensate
 *
 * Ids and external ids of a flow are all different, so a name of either kind means one task.
 */
import type { Plan } from "../../flows/plan.ts";

/** A part of a path that follows the id of its task. */
const LAST_PART = /(?:\.\d{1,9}|~compensate)$/;

/** Longest external id with what may follow it, characters. */
const MAX_LENGTH = 1_024;

/** The name by which others know the task at a path. */
export function externalIdOf(plan: Plan, path: string): string {
  if (plan.kind !== "dag" || plan.externalIds.size === 0) return path;
  const end = path.search(/[.~]/);
  const id = end < 0 ? path : path.slice(0, end);
  const index = plan.index.get(id);
  const externalId = index === undefined ? undefined : plan.nodes[index]?.task.externalId;
  return externalId === undefined ? path : externalId + path.slice(id.length);
}

/** The path that a name from outside means: an external id, a path, or what a path becomes by {@link externalIdOf}. */
export function pathOf(plan: Plan, name: string): string {
  if (plan.kind !== "dag" || plan.externalIds.size === 0 || name.length > MAX_LENGTH) return name;
  let rest = name;
  for (;;) {
    const id = plan.externalIds.get(rest);
    if (id !== undefined) return id + name.slice(rest.length);
    const part = LAST_PART.exec(rest);
    if (part === null) return name;
    rest = rest.slice(0, part.index);
  }
}
