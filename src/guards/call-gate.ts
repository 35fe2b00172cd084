/**
 * The check of calls to tools, for the flows that a policy names.
 *
 *   content rules ──deny──→ denied
 *        │ ask: a person has approved this very call?  no → asked
 *        ↓ redact: labels take the place of what was found
 *     Reflex ──blocked──→ denied; away → deferred
 *        ↓
 *     allowed
 *
 * What a person approves, and what Reflex says, holds for a *key*: an HMAC over all that the word is about. If anything
 * of it changes, the question comes again.
 */
import { createHmac } from "node:crypto";
import type { Json } from "../base/json/json.ts";
import { canonicalJson } from "../base/json/json-canonical.ts";
import type { ToolCall } from "../engine/ports/tools.ts";
import { mapTexts, redact, textsOf } from "./content/redact.ts";
import type { RuleId } from "./content/rules.ts";
import { type ContentScanner, createContentScanner } from "./content/scan.ts";
import type { CallRules } from "./policy/calls.ts";
import { callRulesOf, type GatePolicy } from "./policy/policy.ts";
import type { Reflex } from "./reflex/reflex.ts";

/** What a rule has found, and where in the parameters, as an expression writes it. */
export interface FoundAt {
  readonly rule: RuleId;
  readonly place: string;
}

/** What becomes of a call. */
export type CallVerdict =
  | { readonly verdict: "allow" }
  | { readonly verdict: "redact"; readonly rules: readonly RuleId[]; readonly input: Json }
  /** `key`: names what is asked. `timeoutMs`: null: the policy sets no limit. */
  | {
      readonly verdict: "ask";
      readonly found: readonly FoundAt[];
      readonly key: string;
      readonly assignees: readonly string[];
      readonly timeoutMs: number | null;
    }
  /** `why`: for the error of the task. */
  | { readonly verdict: "deny"; readonly rule: string; readonly why: string }
  /** Reflex does not answer. */
  | { readonly verdict: "defer"; readonly problem: string };

/** A call as the gate sees it. */
export type JudgedCall = Pick<
  ToolCall,
  "tenantId" | "userId" | "flowId" | "type" | "path" | "input" | "idempotencyKey" | "approvedCall"
>;

/** Judges calls. As long as nothing of a call changes, all its attempts send the same. */
export interface CallGate {
  /**
   * `destination`: where the call goes, and the names of the secrets that it gets. Rejects only if `signal` aborts. It
   * answers at once unless Reflex is asked.
   */
  judge(call: JudgedCall, destination: () => Json, signal: AbortSignal): CallVerdict | Promise<CallVerdict>;
}

/** What {@link createCallGate} needs. */
export interface CallGateParts {
  /** Null: Reflex is not there, and no flow of the policy needs it. */
  readonly reflex: Reflex | null;
  /** Key of the HMACs; the same for all instances on a database. */
  readonly key: Uint8Array;
  /** A call of Reflex has ended. */
  readonly reflexCalled?: (result: "safe" | "blocked" | "error") => void;
}

const ALLOW = { verdict: "allow" } as const satisfies CallVerdict;

/** Calls that Reflex has let pass which are kept, so that their later attempts do not ask again. */
const MAX_SAFE = 10_000;

/** Creates the gate; null: the policy names no flow. */
export function createCallGate(policy: GatePolicy, parts: CallGateParts): CallGate | null {
  const levels = [policy, ...Object.values(policy.tenants ?? {})];
  if (levels.every(({ calls }) => Object.keys(calls?.flows ?? {}).length === 0)) return null;
  const scanner = createContentScanner();
  const safe = new Set<string>();

  const askReflex = async (
    { userId, flowId, type, path }: JudgedCall,
    passed: CallVerdict,
    input: Json,
    key: string,
    signal: AbortSignal,
  ): Promise<CallVerdict> => {
    const { reflex } = parts;
    if (reflex === null || safe.has(key)) return passed;
    const text = Array.from(textsOf(input), (one) => one.text).join("\n");
    const said = await reflex.process({ text, userId, context: { flow_id: flowId, task: path, type } }, signal);
    parts.reflexCalled?.(said.is);
    if (said.is === "error") return { verdict: "defer", problem: said.problem };
    if (said.is === "blocked") return { verdict: "deny", rule: said.rule, why: `Reflex: ${said.reason}` };
    for (const oldest of safe) {
      if (safe.size < MAX_SAFE) break;
      safe.delete(oldest);
    }
    safe.add(key);
    return passed;
  };

  return {
    judge(call, destination, signal) {
      const rules = callRulesOf(policy, call.tenantId, call);
      if (rules === null) return ALLOW;
      const judged = judgeInput(call.input, rules, scanner);
      if (judged.verdict === "deny") return judged;
      const { asked, passed } = judged;
      if (asked.length === 0 && !rules.asksReflex) return passed;
      const key = keyOf(parts.key, call, destination(), rules, asked);
      if (asked.length > 0 && call.approvedCall !== key) {
        const { assignees, timeoutMs } = rules;
        return { verdict: "ask", found: asked, key, assignees, timeoutMs };
      }
      if (!rules.asksReflex) return passed;
      return askReflex(call, passed, passed.verdict === "redact" ? passed.input : call.input, key, signal);
    },
  };
}

/** All that a word is about. The call of another task, generation, or run has another key. */
function keyOf(
  key: Uint8Array,
  { tenantId, type, input, idempotencyKey }: JudgedCall,
  destination: Json,
  { said }: CallRules,
  found: readonly FoundAt[],
): string {
  const about = { idempotencyKey, type, input, destination, policy: said, found: found.map((one) => ({ ...one })) };
  return createHmac("sha256", key)
    .update(`gate-call\0${tenantId}\0${canonicalJson(about)}`)
    .digest("hex");
}

type Denied = Extract<CallVerdict, { readonly verdict: "deny" }>;

/** What the rules say of the parameters: what is to be asked first, and then sent. */
interface Judged {
  readonly verdict: "pass";
  readonly asked: readonly FoundAt[];
  readonly passed: Extract<CallVerdict, { readonly verdict: "allow" | "redact" }>;
}

function judgeInput(input: Json, rules: CallRules, scanner: ContentScanner): Judged | Denied {
  const { withIp, actionOf } = rules;
  // A place has the keys of the value, which may be what a rule looks for.
  const show = (place: string): string => redact(place, scanner.scan(place, { withIp: true })).slice(0, MAX_PLACE);
  const asked: FoundAt[] = [];
  const redacted = new Set<RuleId>();
  const hidden = new Map<string, string>();
  for (const { text, path } of textsOf(input)) {
    const findings = scanner.scan(text, { withIp });
    for (const { rule } of findings) {
      const action = actionOf(rule);
      const place = path === "" ? "the parameters" : show(path);
      if (action === "deny") return { verdict: "deny", rule, why: `${rule} in ${place}` };
      if (action === "ask" && !asked.some((one) => one.rule === rule && one.place === place))
        asked.push({ rule, place });
    }
    const hiding = findings.filter(({ rule }) => actionOf(rule) === "redact");
    if (hiding.length > 0) hidden.set(text, redact(text, hiding));
    for (const { rule } of hiding) redacted.add(rule);
  }
  if (hidden.size === 0) return { verdict: "pass", asked, passed: ALLOW };
  const replaced = mapTexts(input, (text) => hidden.get(text) ?? text);
  return { verdict: "pass", asked, passed: { verdict: "redact", rules: [...redacted], input: replaced } };
}

/** Longest place that is shown, characters. */
const MAX_PLACE = 200;
