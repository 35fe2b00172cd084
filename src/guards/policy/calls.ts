/** What a policy says of calls to tools. */
import { z } from "zod";
import type { Json, JsonObject } from "../../base/json/json.ts";
import { DURATION_FORM, parseDurationMs } from "../../base/time/duration.ts";
import { CALLED_TYPES } from "../../tasks/index.ts";
import { jsonSchema } from "../../tasks/schema/json-schema.ts";
import { ID_PATTERN, MAX_ID_LENGTH } from "../../tasks/schema/schemas.ts";
import type { RuleId } from "../content/rules.ts";
import { ALLOW, type AllowList } from "./allow.ts";
import { SENDING_TYPES } from "./task-types.ts";
import { described, findSaid, keyedBy, type RuleWords, ruleWords } from "./words.ts";

const LETTERS = "lowercase letters, digits, - and _, beginning with a letter";

/** An id that no flow can have would turn the rules under it off. */
const flowId = z
  .string()
  .max(MAX_ID_LENGTH)
  .regex(ID_PATTERN, { error: `expected the id of a flow: ${LETTERS}` });

const action = z.enum(["deny", "ask", "redact", "ignore"]);

/** What becomes of a call in which a rule finds something. */
export type CallAction = z.output<typeof action>;

/** What becomes of texts that nobody can be asked about. */
const textAction = z.enum(["deny", "redact", "ignore"]);

/** Whether verdicts take effect, or are told only. */
export const MODE = z.enum(["enforce", "shadow"]);

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

const task = keyedBy({
  arguments: described(jsonSchema, "JSON Schema that the evaluated parameters of the task keep"),
});

const flow = keyedBy({
  mode: described(MODE, "shadow: verdicts are logged and counted, and change nothing").optional(),
  types: described(
    z.array(z.enum(SENDING_TYPES)).min(1),
    "task types that rules and reflex are about; all without it",
  ).optional(),
  rules: described(
    ruleWords(action),
    "what becomes of a call in which a rule finds something, by rule or family",
  ).optional(),
  ask: described(ask, "of whom the rules with ask ask").optional(),
  reflex: described(z.enum(["ask", "skip"]), "whether Reflex is asked about what a call would send (skip)").optional(),
  results: described(
    ruleWords(textAction),
    "what becomes of results of other tasks in the parameters of ai tasks: what the flow itself says is not judged",
  ).optional(),
  answers: described(ruleWords(textAction), "what becomes of answers of models").optional(),
  allow: described(ALLOW, "what tasks of the flow may call").optional(),
  tasks: described(z.record(z.string().min(1), task), "by id of the task, or by its external_id").optional(),
}).superRefine(({ types = [], rules = {}, reflex }, context) => {
  if (reflex !== "ask" && !Object.values(rules).includes("ask")) return;
  for (const [index, type] of types.entries())
    if (!CALLED_TYPES.includes(type))
      context.addIssue({ code: "custom", path: ["types", index], message: NOBODY_ASKED });
});

const NOBODY_ASKED = `expected ${CALLED_TYPES.join(" or ")}: neither a person nor Reflex is asked about tasks that others do`;

/** Schema of the part of a policy on calls. */
export const CALLS = keyedBy({
  allow: described(ALLOW, "what tasks of all flows may call").optional(),
  flows: described(z.record(flowId, flow), "by id of the flow; nothing else is said of others").optional(),
});

type Calls = z.output<typeof CALLS>;
type FlowWords = z.output<typeof flow>;

/** What is said for all tenants, or for one. */
export interface CallLevel {
  /** Where the policy has it. */
  readonly key: string;
  readonly mode: z.output<typeof MODE> | undefined;
  readonly said: Calls | undefined;
}

/** A call, as far as it decides which rules hold. */
export interface CallPlace {
  readonly flowId: string;
  /** Id of the task in its flow; of a child, that of its group with the number of the child. */
  readonly taskId: string;
  readonly externalId?: string | undefined;
  readonly type: string;
}

/** What becomes of texts. */
export interface TextRules {
  /** Whether addresses are looked for. */
  readonly withIp: boolean;
  /** Whether any rule redacts. */
  readonly redacts: boolean;
  actionOf(rule: RuleId): CallAction;
}

/** What becomes of what is sent. */
export interface SentRules extends TextRules {
  /** Whether Reflex is asked. */
  readonly asksReflex: boolean;
  /** Users or groups whom rules ask. */
  readonly assignees: readonly string[];
  /** How long they have, milliseconds; null: the policy does not limit it. */
  readonly timeoutMs: number | null;
  /** What the policy says of these calls. */
  readonly said: Json;
}

/** What holds for a call. Null: nothing is said. */
export interface CallRules {
  /** Verdicts are told only. */
  readonly isShadow: boolean;
  readonly sent: SentRules | null;
  /** Of what results of other tasks give to it. */
  readonly results: TextRules | null;
  /** Of what comes back. */
  readonly answers: TextRules | null;
  /** The nearest first. */
  readonly allow: readonly AllowList[];
  /** What the parameters keep, with its key. */
  readonly arguments: { readonly key: string; readonly schema: JsonObject } | null;
}

/** The rules for a call, from what is said, the nearest first; null: nothing is. */
export function toCallRules(levels: readonly CallLevel[], place: CallPlace): CallRules | null {
  const named = levels.map(({ key, mode, said }) => {
    const flows = said?.flows ?? {};
    const words = Object.hasOwn(flows, place.flowId) ? flows[place.flowId] : undefined;
    return { key: `${key}.flows.${place.flowId}`, words, around: { key, mode, allow: said?.allow } };
  });
  const allow = named.flatMap(({ key, words, around }): AllowList[] => [
    ...(words?.allow === undefined ? [] : [{ key: `${key}.allow`, said: words.allow }]),
    ...(around.allow === undefined ? [] : [{ key: `${around.key}.allow`, said: around.allow }]),
  ]);
  const ofFlow = named.flatMap(({ words }) => words ?? []);
  if (allow.length === 0 && ofFlow.length === 0) return null;
  const isAi = place.type === "ai";
  return {
    isShadow: named.flatMap(({ words, around }) => words?.mode ?? around.mode ?? [])[0] === "shadow",
    sent: toSentRules(ofFlow, place.type),
    results: isAi ? toTextRules(ofFlow.map(({ results }) => results)) : null,
    answers: isAi ? toTextRules(ofFlow.map(({ answers }) => answers)) : null,
    allow,
    arguments: named.map(({ key, words }) => argumentsOf(key, words, place)).find((one) => one !== null) ?? null,
  };
}

function toSentRules(ofFlow: readonly FlowWords[], type: string): SentRules | null {
  if (!SENDING_TYPES.some((one) => one === type)) return null;
  const words = ofFlow.filter(({ types }) => types?.some((one) => one === type) !== false);
  const nearest = <Value>(pick: (said: FlowWords) => Value | undefined): Value | undefined =>
    words.map(pick).find((value) => value !== undefined);
  const rules = toTextRules(words.map((said) => said.rules));
  const asksReflex = nearest((said) => said.reflex) === "ask";
  if (rules === null && !asksReflex) return null;
  const timeout = nearest((said) => said.ask?.timeout);
  return {
    ...(rules ?? NO_RULES),
    asksReflex,
    assignees: nearest((said) => said.ask?.assignees) ?? [],
    timeoutMs: timeout === undefined ? null : parseDurationMs(timeout),
    said: words as unknown as Json,
  };
}

const NO_RULES: TextRules = { withIp: false, redacts: false, actionOf: () => "ignore" };

function toTextRules(said: readonly (RuleWords<CallAction> | undefined)[]): TextRules | null {
  const words = said.filter((one) => one !== undefined);
  if (words.length === 0) return null;
  const actionOf = (rule: RuleId): CallAction => findSaid<CallAction>(rule, words) ?? "ignore";
  const redacts = words.some((one) => Object.values(one).includes("redact"));
  return { withIp: actionOf("pii.ip") !== "ignore", redacts, actionOf };
}

/** A child of a group may be named itself, else the word on its group is meant. */
function argumentsOf(
  key: string,
  words: FlowWords | undefined,
  { taskId, externalId = taskId }: CallPlace,
): CallRules["arguments"] {
  const tasks = words?.tasks ?? {};
  const id = [taskId, externalId, taskId.replaceAll(/\.\d+/g, "")].find((one) => Object.hasOwn(tasks, one));
  const schema = id === undefined ? undefined : tasks[id]?.arguments;
  return schema === undefined ? null : { key: `${key}.tasks.${id}.arguments`, schema };
}

/** The first flow whose calls Reflex is asked about; null: there is none. */
export function findReflexFlow(levels: readonly (Calls | undefined)[]): string | null {
  const flows = levels.flatMap((level) => Object.entries(level?.flows ?? {}));
  return flows.find(([, said]) => said.reflex === "ask")?.[0] ?? null;
}
