import type { Json } from "../../base/json/json.ts";
import type { TaskTypeName } from "../../tasks/define.ts";
import { ERROR_TYPES, errorTypesOf } from "../../tasks/error-types.ts";
import { suggest } from "../../tasks/schema/suggest.ts";
import type { Path } from "../document/parse.ts";
import type { Report, WarningCheck } from "./warning.ts";

/** Placeholder task types that do nothing: only near misses count. */
const LOOSE: ReadonlySet<TaskTypeName> = new Set(["noop", "emit"]);

/** Warns about error types in `match` and `non_retryable` that no error ever has. */
export const checkErrorTypes: WarningCheck = ({ document, tasks, byId }, report) => {
  for (const { task, type, path } of tasks)
    for (const [index, name] of (task.retry_policy?.non_retryable ?? []).entries())
      checkType(name, type, [...path, "retry_policy", "non_retryable", index], report);
  for (const [index, state] of (document.workflow.states ?? []).entries()) {
    const type = byId.get(state.id)?.type;
    if (type === undefined) continue;
    for (const [place, { match }] of (state.on_error ?? []).entries()) {
      const path = ["workflow", "states", index, "on_error", place, "match"];
      if (typeof match === "string") checkType(match, type, path, report);
      for (const [at, name] of (Array.isArray(match) ? match : []).entries())
        checkType(name, type, [...path, at], report);
    }
  }
};

function checkType(name: Json, type: TaskTypeName, path: Path, report: Report): void {
  const known = errorTypesOf(type);
  if (known === undefined || typeof name !== "string" || ERROR_TYPES.has(name) || /^HTTP_\d{3}$/.test(name)) return;
  const meant = suggest(name, [...known]) || suggest(name, [...ERROR_TYPES]);
  if (meant === "" && LOOSE.has(type)) return;
  report(
    "ERROR_TYPE_UNKNOWN",
    path,
    `no error of a task of type ${type} has the type "${name}"${meant}`,
    meant === ""
      ? "see the task type in docs/flows.md for the types of its errors"
      : "correct the name: types are compared letter by letter",
  );
}
