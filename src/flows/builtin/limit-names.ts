/** Names of limits that belong to the service itself, such as the one at which goals wait. */

/** How such names begin. They can be declared and paused, and named by nothing that others write. */
const RESERVED_LIMITS = "orchestrator.dev/";

/** What keeps a flow, a start, or a service from naming a limit; null: nothing. */
export function limitNameProblem(name: string): string | null {
  if (!name.startsWith(RESERVED_LIMITS)) return null;
  return `limits whose names begin with ${RESERVED_LIMITS} belong to the service; choose another name`;
}
