/** What Reflex answers, read strictly: an answer that is not as the protocol says is none. */
import { z } from "zod";

const answer = z.object({
  request_id: z.string(),
  status: z.enum(["Success", "Blocked", "Error"]),
  pii_detected: z.boolean(),
  pii_matches: z.array(z.unknown()),
  injection_detected: z.boolean(),
  injection_matches: z.array(z.unknown()),
  cache_hit: z.boolean(),
  processing_time_ms: z.number().min(0),
});

/** What Reflex thinks of a text. */
export type ReflexVerdict =
  | { readonly is: "safe" }
  | { readonly is: "blocked"; readonly rule: string; readonly reason: string }
  /** `ofText`: Reflex answers, and does not take this text; that says nothing about others. */
  | { readonly is: "error"; readonly problem: string; readonly ofText?: true };

/** Reads the body of a 200. What it detected is blocked, whatever its status says. */
export function readAnswer(text: string): ReflexVerdict {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { is: "error", problem: "its answer is no JSON" }; // the position would quote the body
  }
  const read = answer.safeParse(value);
  if (!read.success) {
    const [issue] = read.error.issues;
    return { is: "error", problem: `its answer has no valid ${issue?.path.join(".") || "object"}` };
  }
  const { status, pii_detected: hasPii, injection_detected: hasInjection } = read.data;
  if (status === "Error") return { is: "error", problem: "it answered Error" };
  if (hasPii) return { is: "blocked", rule: "reflex.pii", reason: "PII detected in input" };
  if (hasInjection) return { is: "blocked", rule: "reflex.injection", reason: "injection detected in input" };
  if (status === "Blocked") return { is: "blocked", rule: "reflex.blocked", reason: "blocked by the Reflex layer" };
  return { is: "safe" };
}
