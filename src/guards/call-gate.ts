/** The check of calls to tools, for the flows that a policy names: it denies a call, or redacts what is sent. */
import type { Json } from "../base/json/json.ts";
import type { ToolCall } from "../engine/ports/tools.ts";
import { mapTexts, redact } from "./content/redact.ts";
import type { RuleId } from "./content/rules.ts";
import { type ContentScanner, createContentScanner } from "./content/scan.ts";
import type { CallRules } from "./policy/calls.ts";
import { callRulesOf, type GatePolicy } from "./policy/policy.ts";

/** What becomes of a call. */
export type CallVerdict =
  | { readonly verdict: "allow" }
  | { readonly verdict: "redact"; readonly rules: readonly RuleId[]; readonly input: Json }
  /** `place`: where it was found in the parameters, as an expression writes it. */
  | { readonly verdict: "deny"; readonly rule: RuleId; readonly place: string };

/** Judges calls. The same call has the same verdict, so every attempt sends the same. */
export interface CallGate {
  judge(call: Pick<ToolCall, "tenantId" | "flowId" | "type" | "input">): CallVerdict;
}

const ALLOW: CallVerdict = { verdict: "allow" };

/** Creates the gate; null: the policy names no flow. */
export function createCallGate(policy: GatePolicy): CallGate | null {
  const levels = [policy, ...Object.values(policy.tenants ?? {})];
  if (levels.every(({ calls }) => Object.keys(calls?.flows ?? {}).length === 0)) return null;
  const scanner = createContentScanner();
  return {
    judge({ tenantId, flowId, type, input }) {
      const rules = callRulesOf(policy, tenantId, { flowId, type });
      return rules === null ? ALLOW : judgeInput(input, rules, scanner);
    },
  };
}

function judgeInput(input: Json, rules: CallRules, scanner: ContentScanner): CallVerdict {
  const redacted = new Set<RuleId>();
  let denied: CallVerdict | null = null;
  const replaced = mapTexts(input, (text, place) => {
    const findings = scanner.scan(text, { withIp: rules.withIp });
    const denying = findings.find(({ rule }) => rules.actionOf(rule) === "deny");
    if (denying !== undefined) denied ??= { verdict: "deny", rule: denying.rule, place };
    const hidden = findings.filter(({ rule }) => rules.actionOf(rule) === "redact");
    for (const { rule } of hidden) redacted.add(rule);
    return hidden.length === 0 ? text : redact(text, hidden);
  });
  if (denied !== null) return denied;
  return redacted.size === 0 ? ALLOW : { verdict: "redact", rules: [...redacted], input: replaced };
}
