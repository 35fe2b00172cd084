/** Checks of the items that a method answers one by one, see `MethodPolicy.checked_items`. */
import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import type { OrchestratorError } from "../../base/errors.ts";
import { compileValidator } from "../requests/validate.ts";
import { violationError } from "../requests/violation-error.ts";

/** Checks an item at `path` of its request. INVALID_REQUEST if it breaks rules of its fields; null if it does not. */
export type CheckItem<Desc extends DescMessage> = (item: MessageShape<Desc>, path: string) => OrchestratorError | null;

export function compileItemCheck<Desc extends DescMessage>(desc: Desc): CheckItem<Desc> {
  const validate = compileValidator(desc);
  return (item, path) => {
    const violations = validate(item);
    if (violations === null) return null;
    const prefix = path === "" ? "" : `${path}.`;
    return violationError(violations.map(({ field, description }) => ({ field: `${prefix}${field}`, description })));
  };
}
