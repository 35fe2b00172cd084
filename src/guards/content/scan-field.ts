/** Reads a text of a JSON value together with the key that it stands under: `{"password": "…"}` is an assignment. */
import type { Turns } from "../../base/time/turns.ts";
import type { TextAt } from "./redact.ts";
import type { Finding } from "./rules.ts";
import type { ContentScanner } from "./scan.ts";

/** Longer values are no passwords, and longer keys no names of one. */
const [MAX_VALUE, MAX_KEY] = [256, 128];

/** Keys that may name a secret; whether they do, the scan says. */
const MAY_NAME = /pass|pwd|secret|token|key|auth|cred|bearer/i;

/** Findings in the text, in order. */
export function* scanField(
  scanner: ContentScanner,
  { text, under }: Pick<TextAt, "text" | "under">,
  withIp: boolean,
): Turns<readonly Finding[]> {
  const findings = yield* scanner.scanInSlices(text, { withIp });
  const isShort = text.length <= MAX_VALUE && under.length <= MAX_KEY;
  if (findings.length > 0 || !isShort || !MAY_NAME.test(under)) return findings;
  const head = `${under}: `;
  return scanner.scan(head + text).flatMap((one) => {
    const { rule, start, end } = one;
    return rule === "secret.assignment" && start >= head.length
      ? { ...one, start: start - head.length, end: end - head.length }
      : [];
  });
}
