/**
 * The check of calls to tools, as a policy says.
 *
 *   allow lists, schema of the parameters ──outside, broken──→ denied
 *        ↓
 *   content rules ──deny──→ denied
 *        │ ask: a person has approved this very call?  no → asked
 *        ↓ redact: labels take the place of what was found
 *     Reflex ──blocked──→ denied; away → deferred
 *        ↓
 *     allowed
 *
 * What a person approves, and what Reflex says, holds for a *key*: an HMAC over all that the word is about. If anything
 * of it changes, the question comes again. In shadow, verdicts are told and change nothing.
 */
import { createHmac } from "node:crypto";
import { isOrchestratorError } from "../base/errors.ts";
import type { Json } from "../base/json/json.ts";
import { canonicalJson } from "../base/json/json-canonical.ts";
import { measureJson } from "../base/json/json-size.ts";
import { secondsSince } from "../base/time/elapsed.ts";
import { runAtOnce, runInTurns } from "../base/time/turns.ts";
import type { ToolCall } from "../engine/ports/tools.ts";
import { findBreach } from "../tasks/schema/json-schema.ts";
import { textsOf } from "./content/redact.ts";
import { createContentScanner } from "./content/scan.ts";
import type { GateResult } from "./goal-check.ts";
import { type FoundAt, type JudgedTexts, judgeTexts, type RedactedTexts } from "./judge-texts.ts";
import { type CallTarget, findOutside, findOutsideOrigin } from "./policy/allow.ts";
import type { CallRules, SentRules, TextRules } from "./policy/calls.ts";
import { callRulesOf, type GatePolicy, speaksOfCalls } from "./policy/policy.ts";
import type { Reflex } from "./reflex/reflex.ts";

/** What becomes of a call. `isShadow`: it is told only. */
export type CallVerdict = { readonly verdict: "allow" } | (TellingVerdict & { readonly isShadow: boolean });

/** A verdict that is not that all is well. */
type TellingVerdict =
  | ({ readonly verdict: "redact" } & RedactedTexts)
  /** `key`: names what is asked. `timeoutMs`: null: the policy sets no limit. */
  | {
      readonly verdict: "ask";
      readonly found: readonly FoundAt[];
      readonly key: string;
      readonly assignees: readonly string[];
      readonly timeoutMs: number | null;
    }
  /** `why`: for the error of the task, without any text of the call. */
  | { readonly verdict: "deny"; readonly rule: string; readonly why: string }
  /** Reflex does not answer. */
  | { readonly verdict: "defer"; readonly problem: string };

/** A call as the gate sees it. */
export type JudgedCall = JudgedTask & Pick<ToolCall, "userId" | "path" | "idempotencyKey" | "approvedCall">;

/** A task as the gate sees it that passes no call path. */
export type JudgedTask = Pick<ToolCall, "tenantId" | "flowId" | "taskId" | "externalId" | "type" | "input">;

/** Which rules hold for a task. */
type Judged = Omit<JudgedTask, "input">;

/** A call that a flow would make; null: it is not known, or there is none. */
export interface PlannedCall extends Pick<JudgedTask, "flowId"> {
  readonly type: string;
  readonly service: string | null;
  readonly origin: string | null;
  readonly models: readonly string[] | null;
}

/** What a call reaches. */
export interface CallReach extends CallTarget {
  /** Where the call goes, and the names of the secrets that it gets. */
  readonly destination: () => Json;
}

/** Judges values around a call, which nobody can be asked about. */
export interface TextJudge {
  /** Its verdicts are told only. */
  readonly isShadow: boolean;
  judge(value: Json): CallVerdict;
  /** The same, with turns of the event loop while it reads. */
  judgeInTurns(value: Json): Promise<CallVerdict>;
}

/** Judges calls. As long as nothing of a call changes, all its attempts send the same. */
export interface CallGate {
  /**
   * Rejects only if `signal` aborts. It answers at once, unless Reflex is asked or the parameters are long. In shadow,
   * nothing waits for Reflex: `tellLater` gets its verdict when it comes.
   */
  judge(
    call: JudgedCall,
    reach: CallReach,
    signal: AbortSignal,
    tellLater: (verdict: CallVerdict) => void,
  ): CallVerdict | Promise<CallVerdict>;
  /** Judges a task that others do: where somebody would have to be asked, it is denied. */
  judgeTask(task: JudgedTask, target: CallTarget): CallVerdict;
  /**
   * Redacts what a call will send, before it is stored: a policy that changes between two attempts does not change what
   * they send. In shadow, and where a schema holds the parameters, they stay as they are until the call.
   */
  redactCalled(task: JudgedTask): CallVerdict;
  /** Why the lists allow no call of this kind, as far as it is known; null: they may. A shadow denies nothing. */
  whyDenied(tenantId: string, call: PlannedCall): string | null;
  /** Judges an origin to which a call goes on; null: it may go everywhere. */
  originJudge(call: Judged): ((origin: string) => CallVerdict) | null;
  /** Judges what comes back; null: nothing does. */
  answerJudge(call: Judged): TextJudge | null;
  /** Judges what results of other tasks give to a task, before its parameters are made; null: nothing does. */
  resultJudge(task: Judged): TextJudge | null;
}

/** What {@link createCallGate} needs. */
export interface CallGateParts {
  /** Null: Reflex is not there, and no flow of the policy needs it. */
  readonly reflex: Reflex | null;
  /** Key of the HMACs; the same for all instances on a database. */
  readonly key: Uint8Array;
  /** A call that the policy has rules for was judged. `seconds` is how long it waited. */
  readonly judged?: (result: GateResult, seconds: number) => void;
  /** A call of Reflex has ended: its tries, and its time in line. */
  readonly reflexCalled?: (result: "safe" | "blocked" | "error", seconds: number) => void;
}

const ALLOW = { verdict: "allow" } as const satisfies CallVerdict;

/** Reflex has its own limit of time, so nothing that waits for it does so forever. */
const NEVER = new AbortController().signal;

/** What the gate makes of something, enforced or not. */
type Judgement = TellingVerdict | typeof ALLOW;

/** Parameters from this size on are read in turns, bytes. */
const LONG_BYTES = 65_536;

/** Calls that Reflex has let pass which are kept, so that their later attempts do not ask again. */
const MAX_SAFE = 10_000;

/** Creates the gate; null: the policy does not mention calls. */
export function createCallGate(policy: GatePolicy, parts: CallGateParts): CallGate | null {
  if (!speaksOfCalls(policy)) return null;
  const scanner = createContentScanner();
  const safe = new Set<string>();
  const rulesOf = ({ tenantId, ...place }: Judged): CallRules | null => callRulesOf(policy, tenantId, place);

  const askReflex = async (
    { userId, flowId, type, path }: JudgedCall,
    passed: Judgement,
    input: Json,
    key: string,
    signal: AbortSignal,
  ): Promise<Judgement> => {
    const { reflex } = parts;
    if (reflex === null || safe.has(key)) return passed;
    const text = Array.from(textsOf(input), (one) => one.text).join("\n");
    const from = performance.now();
    const said = await reflex.process({ text, userId, context: { flow_id: flowId, task: path, type } }, signal);
    parts.reflexCalled?.(said.is, secondsSince(from));
    if (said.is === "error") return { verdict: "defer", problem: said.problem };
    if (said.is === "blocked") return { verdict: "deny", rule: said.rule, why: `Reflex: ${said.reason}` };
    for (const oldest of safe) {
      if (safe.size < MAX_SAFE) break;
      safe.delete(oldest);
    }
    safe.add(key);
    return passed;
  };

  const judgeSent = (
    call: JudgedCall,
    rules: SentRules,
    { destination }: CallReach,
    signal: AbortSignal,
    shadow: ((verdict: CallVerdict) => void) | null,
  ): Judgement | Promise<Judgement> => {
    const afterTexts = (judged: JudgedTexts): Judgement | Promise<Judgement> => {
      if (judged.denied !== null) return toDenial(judged.denied);
      const { asked, redacted } = judged;
      const passed = redacted === null ? ALLOW : ({ verdict: "redact", ...redacted } as const);
      if (asked.length === 0 && !rules.asksReflex) return passed;
      const key = keyOf(parts.key, call, destination(), rules, asked);
      if (asked.length > 0 && call.approvedCall !== key) {
        const { assignees, timeoutMs } = rules;
        return { verdict: "ask", found: asked, key, assignees, timeoutMs };
      }
      if (!rules.asksReflex) return passed;
      const value = redacted?.value ?? call.input;
      if (shadow === null) return askReflex(call, passed, value, key, signal);
      // It may come after the call has ended.
      void askReflex(call, ALLOW, value, key, NEVER).then((said) => shadow(marked(said, true)));
      return passed;
    };
    const judging = judgeTexts(call.input, rules, scanner, "the parameters");
    if (measureJson(call.input, LONG_BYTES) < LONG_BYTES) return afterTexts(runAtOnce(judging));
    return runInTurns(judging, signal).then(afterTexts);
  };

  /** Where nobody can be asked. */
  const afterTextsAlone = (judged: JudgedTexts): Judgement => {
    if (judged.denied !== null) return toDenial(judged.denied);
    const [asked] = judged.asked;
    if (asked !== undefined) {
      const { rule, why } = toDenial(asked);
      return { verdict: "deny", rule, why: `${why}, and nobody can be asked about a task that others do` };
    }
    return judged.redacted === null ? ALLOW : { verdict: "redact", ...judged.redacted };
  };

  const textJudge = (rules: TextRules | null, isShadow: boolean, what: string): TextJudge | null => {
    if (rules === null) return null;
    const begin = (value: Json) => judgeTexts(value, rules, scanner, what);
    return {
      isShadow,
      judge: (value) => marked(afterTextsAlone(runAtOnce(begin(value))), isShadow),
      judgeInTurns: async (value) => marked(afterTextsAlone(await runInTurns(begin(value))), isShadow),
    };
  };

  return {
    judge(call, reach, signal, tellLater) {
      const rules = rulesOf(call);
      if (rules === null) return ALLOW;
      const from = performance.now();
      const { isShadow, sent } = rules;
      const later = isShadow ? tellLater : null;
      const answer = (judged: Judgement): CallVerdict => {
        parts.judged?.(judged.verdict === "defer" ? "unavailable" : "verdict", secondsSince(from));
        return marked(judged, isShadow);
      };
      const judged =
        judgeForm(call, rules, reach) ?? (sent === null ? ALLOW : judgeSent(call, sent, reach, signal, later));
      return judged instanceof Promise ? judged.then(answer) : answer(judged);
    },
    judgeTask(task, target) {
      const rules = rulesOf(task);
      if (rules === null) return ALLOW;
      const { isShadow, sent } = rules;
      const refused = judgeForm(task, rules, target) ?? judgeUnseen(rules);
      if (refused !== null) return marked(refused, isShadow);
      return textJudge(sent, isShadow, "the parameters")?.judge(task.input) ?? ALLOW;
    },
    redactCalled(task) {
      const rules = rulesOf(task);
      if (rules === null || rules.sent === null || rules.isShadow || rules.arguments !== null) return ALLOW;
      if (!rules.sent.redacts) return ALLOW;
      const judged = runAtOnce(judgeTexts(task.input, rules.sent, scanner, "the parameters"));
      // What is denied is denied when the call is made.
      if (judged.denied !== null || judged.redacted === null) return ALLOW;
      return marked({ verdict: "redact", ...judged.redacted }, false);
    },
    whyDenied(tenantId, { flowId, type, service, origin, models }) {
      const { allow = [], isShadow = false } = callRulesOf(policy, tenantId, { flowId, taskId: "", type }) ?? {};
      if (isShadow) return null;
      const isKnown = type === "ai" ? models !== null : service !== null || origin !== null;
      const lists = isKnown ? allow : allow.map(({ key, said: { types } }) => ({ key, said: { types } }));
      return findOutside(lists, type, { service: service ?? "", origin: origin ?? "", models })?.why ?? null;
    },
    originJudge(call) {
      const { allow = [], isShadow = false } = rulesOf(call) ?? {};
      if (findOutsideOrigin(allow, "") === null) return null;
      return (origin) => {
        const outside = findOutsideOrigin(allow, origin);
        return outside === null ? ALLOW : marked({ verdict: "deny", ...outside }, isShadow);
      };
    },
    answerJudge(call) {
      const { answers = null, isShadow = false } = rulesOf(call) ?? {};
      return textJudge(answers, isShadow, "the answer");
    },
    resultJudge(task) {
      const { results = null, isShadow = false } = rulesOf(task) ?? {};
      return textJudge(results, isShadow, "a result of another task");
    },
  };
}

type Denial = Extract<TellingVerdict, { readonly verdict: "deny" }>;

function toDenial({ rule, place }: FoundAt): Denial {
  return { verdict: "deny", rule, why: `${rule} in ${place}` };
}

function marked(verdict: Judgement, isShadow: boolean): CallVerdict {
  return verdict.verdict === "allow" ? verdict : { ...verdict, isShadow };
}

/** What is wrong with a call before its texts are read; null: nothing is. */
function judgeForm({ type, input }: JudgedTask, rules: CallRules, target: CallTarget): Denial | null {
  const outside = findOutside(rules.allow, type, target);
  if (outside !== null) return { verdict: "deny", ...outside };
  const { arguments: said } = rules;
  if (said === null) return null;
  const deny = (why: string): Denial => ({ verdict: "deny", rule: "arguments", why });
  try {
    const breach = findBreach(said.schema, input);
    if (breach === null) return null;
    const place = breach.place === "" ? "the parameters" : breach.place;
    if (breach.keyword === "false") return deny(`${place}: not allowed by ${said.key}`);
    return deny(`${place}: breaks ${breach.keyword} of ${said.key}`);
  } catch (error) {
    if (!isOrchestratorError(error) || error.code !== "SCHEMA_TOO_COSTLY") throw error;
    return deny(`the check against ${said.key} takes too long`);
  }
}

/** What a task that others do would need, and cannot have; null: nothing. */
function judgeUnseen({ sent, answers }: CallRules): Denial | null {
  if (sent?.asksReflex === true)
    return { verdict: "deny", rule: "reflex", why: "Reflex is asked about calls, and others do this task" };
  if (answers !== null)
    return { verdict: "deny", rule: "answers", why: "answers of models are judged, and an agent does this task" };
  return null;
}

/** All that a word is about. The call of another task, generation, or run has another key. */
function keyOf(
  key: Uint8Array,
  { tenantId, type, input, idempotencyKey }: JudgedCall,
  destination: Json,
  { said }: SentRules,
  found: readonly FoundAt[],
): string {
  const about = { idempotencyKey, type, input, destination, policy: said, found: found.map((one) => ({ ...one })) };
  return createHmac("sha256", key)
    .update(`gate-call\0${tenantId}\0${canonicalJson(about)}`)
    .digest("hex");
}
