/** Texts that become columns of the store. */
import { toError } from "../../../base/errors.ts";
import { labelsProblem } from "../../../base/labels.ts";

/**
 * The store takes no NUL in texts, and values of a column are parted by U+0001 on their way: both are refused before
 * anything is decided. Throws INVALID_REQUEST that names `field`.
 */
export function checkText(field: string, value: string): void {
  if (value !== "" && /[\0\u0001]/.test(value)) {
    const problem = `${field} holds a control character (U+0000 or U+0001); remove it`;
    throw toError("INVALID_REQUEST", { problem }, { violations: [{ field, description: problem }] });
  }
}

/**
 * Labels of a run that starts. Throws INVALID_REQUEST that names the label which is no text, or too long, or one too
 * many.
 */
export function checkLabels(labels: Readonly<Record<string, unknown>>): Readonly<Record<string, string>> {
  const problem = labelsProblem(labels);
  if (problem === null) return labels as Readonly<Record<string, string>>;
  throw toError("INVALID_REQUEST", { problem }, { violations: [{ field: "labels", description: problem }] });
}
