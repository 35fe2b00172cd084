/** What a policy says of calls to tools. */
import { z } from "zod";
import type { RuleId } from "../content/rules.ts";
import { described, findSaid, keyedBy, ruleWords } from "./words.ts";

const action = z.enum(["deny", "redact", "ignore"]);

/** What becomes of a call in which a rule finds something. */
export type CallAction = z.output<typeof action>;

const flow = keyedBy({
  types: described(z.array(z.string().min(1)).min(1), "task types whose calls are judged; all without it").optional(),
  rules: described(ruleWords(action), "what becomes of a call in which a rule finds something, by rule or family"),
});

/** Schema of the part of a policy on calls. */
export const CALLS = keyedBy({
  flows: described(z.record(z.string().min(1), flow), "by id of the flow; others are not judged").optional(),
});

/** A call, as far as it decides which rules hold. */
export interface CallPlace {
  readonly flowId: string;
  readonly type: string;
}

/** What holds for the calls of a flow. */
export interface CallRules {
  /** Whether addresses are looked for. */
  readonly withIp: boolean;
  actionOf(rule: RuleId): CallAction;
}

/** The rules for calls of a flow and task type, from what is said, the nearest first; null: none is judged. */
export function toCallRules(
  levels: readonly (z.output<typeof CALLS> | undefined)[],
  { flowId, type }: CallPlace,
): CallRules | null {
  const words = levels.flatMap((level) => {
    const flows = level?.flows ?? {};
    const said = Object.hasOwn(flows, flowId) ? flows[flowId] : undefined;
    return said === undefined || said.types?.includes(type) === false ? [] : [said.rules];
  });
  if (words.length === 0) return null;
  const actionOf = (rule: RuleId): CallAction => findSaid<CallAction>(rule, words) ?? "ignore";
  return { withIp: actionOf("pii.ip") !== "ignore", actionOf };
}
