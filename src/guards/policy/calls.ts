/** What a policy says of calls to tools. */
import { z } from "zod";
import type { Json } from "../../base/json/json.ts";
import { DURATION_FORM, parseDurationMs } from "../../base/time/duration.ts";
import type { RuleId } from "../content/rules.ts";
import { described, findSaid, keyedBy, ruleWords } from "./words.ts";

const action = z.enum(["deny", "ask", "redact", "ignore"]);

/** What becomes of a call in which a rule finds something. */
export type CallAction = z.output<typeof action>;

/** Task types whose calls the service makes itself, so that they pass the gate. */
export const GATED_TYPES = ["http", "ai"] as const;

const gatedType = z.enum(GATED_TYPES, {
  error: `expected ${GATED_TYPES.join(" or ")}: tasks of other types make no calls, or others do their work`,
});

const ask = keyedBy({
  assignees: described(z.array(z.string().min(1).max(256)).max(100), "users or groups to ask").optional(),
  timeout: described(
    z.union([z.number(), z.string()]).refine(isTimeout, { error: `expected ${DURATION_FORM}, above 0` }),
    "how long they have; then the call is denied (without it, the time of the task and the run)",
  ).optional(),
});

function isTimeout(value: number | string): boolean {
  try {
    return parseDurationMs(value) > 0;
  } catch {
    return false; // INVALID_REQUEST: the schema tells it
  }
}

const flow = keyedBy({
  types: described(z.array(gatedType).min(1), "task types whose calls are judged; all without it").optional(),
  rules: described(
    ruleWords(action),
    "what becomes of a call in which a rule finds something, by rule or family",
  ).optional(),
  ask: described(ask, "of whom the rules with ask ask").optional(),
  reflex: described(z.enum(["ask", "skip"]), "whether Reflex is asked about what a call would send (skip)").optional(),
});

/** Schema of the part of a policy on calls. */
export const CALLS = keyedBy({
  flows: described(z.record(z.string().min(1), flow), "by id of the flow; others are not judged").optional(),
});

type Calls = z.output<typeof CALLS>;

/** A call, as far as it decides which rules hold. */
export interface CallPlace {
  readonly flowId: string;
  readonly type: string;
}

/** What holds for the calls of a flow. */
export interface CallRules {
  /** Whether addresses are looked for. */
  readonly withIp: boolean;
  /** Whether Reflex is asked. */
  readonly asksReflex: boolean;
  /** Users or groups whom rules ask. */
  readonly assignees: readonly string[];
  /** How long they have, milliseconds; null: the policy does not limit it. */
  readonly timeoutMs: number | null;
  /** What the policy says of these calls. */
  readonly said: Json;
  actionOf(rule: RuleId): CallAction;
}

/** The rules for calls of a flow and task type, from what is said, the nearest first; null: none is judged. */
export function toCallRules(levels: readonly (Calls | undefined)[], { flowId, type }: CallPlace): CallRules | null {
  const words = levels.flatMap((level) => {
    const flows = level?.flows ?? {};
    const said = Object.hasOwn(flows, flowId) ? flows[flowId] : undefined;
    const types: readonly string[] | undefined = said?.types;
    return said === undefined || types?.includes(type) === false ? [] : [said];
  });
  if (words.length === 0) return null;
  const rules = words.map((said) => said.rules);
  const actionOf = (rule: RuleId): CallAction => findSaid<CallAction>(rule, rules) ?? "ignore";
  const nearest = <Value>(pick: (said: (typeof words)[number]) => Value | undefined): Value | undefined =>
    words.map(pick).find((value) => value !== undefined);
  const timeout = nearest((said) => said.ask?.timeout);
  return {
    withIp: actionOf("pii.ip") !== "ignore",
    asksReflex: nearest((said) => said.reflex) === "ask",
    assignees: nearest((said) => said.ask?.assignees) ?? [],
    timeoutMs: timeout === undefined ? null : parseDurationMs(timeout),
    said: words as unknown as Json,
    actionOf,
  };
}

/** The first flow whose calls Reflex is asked about; null: there is none. */
export function findReflexFlow(levels: readonly (Calls | undefined)[]): string | null {
  const flows = levels.flatMap((level) => Object.entries(level?.flows ?? {}));
  return flows.find(([, said]) => said.reflex === "ask")?.[0] ?? null;
}
