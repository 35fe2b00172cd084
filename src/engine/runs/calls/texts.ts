/** Texts that become columns of the store. */
import { toError } from "../../../base/errors.ts";
import { refuseField } from "../../../base/field-error.ts";
import { labelsProblem } from "../../../base/labels.ts";

/**
 * Rejects NUL, which the store does not accept, and U+0001, which separates the values of a column in transit. Throws
 * INVALID_REQUEST for `field`.
 */
export function checkText(field: string, value: string): void {
  if (value !== "" && /[\0\u0001]/.test(value)) {
    refuseField(field, "contains a control character (U+0000 or U+0001); remove it");
  }
}

/** Longest texts of a start that callers choose, characters. The contract says the same. */
const MAX_CHARACTERS = 256;

/** As {@link checkText}, and rejects more than {@link MAX_CHARACTERS}: starts come by messages and events, too. */
export function checkShortText(field: string, value: string): void {
  checkText(field, value);
  if (value.length <= MAX_CHARACTERS) return;
  const characters = [...value].length;
  if (characters <= MAX_CHARACTERS) return;
  refuseField(field, `has ${characters} characters; the limit is ${MAX_CHARACTERS}`);
}

/**
 * Checks the labels of a start. Throws INVALID_REQUEST for a label that is not text or too long, or for too many
 * labels.
 */
export function checkLabels(labels: Readonly<Record<string, unknown>>): Readonly<Record<string, string>> {
  const problem = labelsProblem(labels);
  if (problem === null) return labels as Readonly<Record<string, string>>;
  throw toError("INVALID_REQUEST", { problem }, { violations: [{ field: "labels", description: problem }] });
}
