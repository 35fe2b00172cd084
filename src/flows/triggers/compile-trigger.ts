/** Checks the definition of a trigger and compiles its expressions. */
import { type FieldViolation, isOrchestratorError, toError } from "../../base/errors.ts";
import { isJsonObject, type Json, type JsonObject } from "../../base/json/json.ts";
import type { TraceContext } from "../../base/traces/trace-context.ts";
import { describeIssue, describeValue } from "../../tasks/schema/describe-issue.ts";
import { checkPlainTemplate, checkPredicate } from "../check/check-expressions.ts";
import { type ParsedSource, type Path, readFlowSource } from "../document/parse.ts";
import { Problems } from "../document/problems.ts";
import type { KnownNames } from "../interpolation/references.ts";
import { compileTemplate } from "../interpolation/template.ts";
import type { Scope } from "../plan.ts";
import { type TriggerDocument, triggerSchema } from "./trigger-document.ts";

/** What expressions of triggers read. */
export interface TriggerEvent {
  /** Names the event among those of its source. */
  readonly id: string;
  readonly type: string;
  readonly source: "webhook" | "kafka" | "redis";
  /** When it was sent, milliseconds since the epoch. */
  readonly at: number;
  readonly key: string | null;
  readonly headers: JsonObject;
  readonly body: Json;
  /** Requests of runs that led to it; absent: none. */
  readonly hops?: number;
  /** Its position in a trace; absent or null: it has none. */
  readonly trace?: TraceContext | null;
}

/** A start, as an event asks for it. Empty text: absent. */
export interface TriggeredStart {
  readonly type: "start";
  readonly version: string;
  readonly input: JsonObject;
  readonly runKey: string;
  readonly runKeyPolicy: "reject" | "return_existing" | "terminate_and_start";
  readonly labels: Readonly<Record<string, string>>;
  readonly correlationId: string;
  readonly userId: string;
}

/** A signal, as an event asks for it. */
export interface TriggeredSignal {
  readonly type: "signal";
  readonly runKey: string;
  readonly name: string;
  readonly payload: Json;
}

export interface CompiledTrigger {
  readonly document: TriggerDocument;
  /**
   * What the event asks for; null: the filter does not let it through. Pure. Errors: EXPRESSION_FAILED,
   * EXPRESSION_TOO_COSTLY, and EXPRESSION_FAILED for values of a type that is not possible.
   */
  evaluate(event: TriggerEvent, now: number): TriggeredStart | TriggeredSignal | null;
}

/** Expressions of triggers know nothing but the event. */
const NAMES: KnownNames = { variables: new Set(), tasks: new Set() };

/** Compiles a definition. Errors: TRIGGER_INVALID with all problems. */
export function compileTrigger(text: string): CompiledTrigger {
  const source = readSource(text);
  const problems = new Problems(source);
  const result = triggerSchema.safeParse(source.value);
  for (const issue of result.error?.issues ?? [])
    for (const { path, describe } of describeIssue(issue, source.value)) problems.add(path, describe);
  const draft = (isJsonObject(source.value) ? source.value : {}) as Partial<TriggerDocument>;
  if (result.success) checkMeaning(draft as TriggerDocument, problems);
  const found = problems.list();
  if (found.length > 0) throw toInvalid(found);
  return plan(draft as TriggerDocument);
}

/** The error for a definition with these problems. */
export function toInvalid(problems: readonly FieldViolation[]): Error {
  const [{ field, description, line } = { field: "", description: "", line: undefined }] = problems;
  const place = line === undefined ? "" : ` (line ${line})`;
  return toError(
    "TRIGGER_INVALID",
    { count: problems.length, first: `${field === "" ? "" : `${field}: `}${description}${place}` },
    { violations: problems },
  );
}

function readSource(text: string): ParsedSource {
  try {
    return readFlowSource(text);
  } catch (error) {
    if (!isOrchestratorError(error) || error.code !== "FLOW_SOURCE_INVALID") throw error;
    throw toError(
      "TRIGGER_INVALID",
      { count: error.violations.length, first: String(error.details["problem"]) },
      { violations: error.violations },
    );
  }
}

function checkMeaning({ source, when, start, signal }: TriggerDocument, problems: Problems): void {
  if (source.type === "webhook") {
    const isSigned = source.scheme !== "none";
    if (isSigned && source.secrets === undefined)
      problems.add(["source", "secrets"], "is missing; expected references to the secrets that the sender signs with");
    if (!isSigned && source.secrets !== undefined)
      problems.add(["source", "secrets"], "nothing is signed with them: the scheme is none");
  }
  if (start === undefined && signal === undefined) problems.add([], "expected start or signal: what an event does");
  if (start !== undefined && signal !== undefined)
    problems.add(["signal"], "a trigger has either start or signal, not both");
  if (start?.run_key_policy !== undefined && start.run_key === undefined)
    problems.add(["start", "run_key_policy"], "a policy needs a run_key");
  if (when !== undefined)
    checkPredicate(when, ["when"], { names: NAMES, roots: new Set(["event"]), forbidTask: () => undefined }, problems);
  const templates: readonly (readonly [Path, Json | undefined])[] = [
    ...(["input", "run_key", "labels", "correlation_id", "user_id"] as const).map(
      (name) => [["start", name], start?.[name]] as const,
    ),
    ...(["run_key", "payload"] as const).map((name) => [["signal", name], signal?.[name]] as const),
  ];
  for (const [path, value] of templates)
    if (value !== undefined) checkPlainTemplate(value, path, NAMES, ["event"], problems);
}

function plan(document: TriggerDocument): CompiledTrigger {
  const { when = true, start, signal } = document;
  const filter = compileTemplate(when, NAMES).template;
  const action = compileTemplate((start ?? signal ?? null) as Json, NAMES).template;
  return {
    document,
    evaluate(event, now) {
      const scope = scopeOf(event, now);
      const passes = filter.evaluate(scope);
      if (typeof passes !== "boolean") return refuse("when", "true or false", passes);
      if (!passes) return null;
      const values = action.evaluate(scope) as JsonObject;
      return start === undefined ? toSignal(values) : toStart(values);
    },
  };
}

function toStart(values: JsonObject): TriggeredStart {
  const { version = "", input = {}, run_key: runKey, run_key_policy: policy = "reject", labels = {} } = values;
  if (!isJsonObject(input)) return refuse("start.input", "an object", input);
  return {
    type: "start",
    version: version as string,
    input,
    runKey: runKey === undefined ? "" : toText("start.run_key", runKey),
    runKeyPolicy: policy as TriggeredStart["runKeyPolicy"],
    labels: Object.fromEntries(
      Object.entries(labels as JsonObject).map(([key, value]) => [key, toText(`start.labels.${key}`, value)]),
    ),
    correlationId: toText("start.correlation_id", values["correlation_id"] ?? ""),
    userId: toText("start.user_id", values["user_id"] ?? ""),
  };
}

function toSignal({ run_key: runKey = null, name, payload = null }: JsonObject): TriggeredSignal {
  return { type: "signal", runKey: toText("signal.run_key", runKey), name: name as string, payload };
}

/** Text for a place that takes nothing else. Keys in events are often numbers. */
function toText(place: string, value: Json): string {
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  if (typeof value !== "string" || (value === "" && place.endsWith("run_key"))) return refuse(place, "text", value);
  return value;
}

function refuse(place: string, wanted: string, value: Json): never {
  throw toError("EXPRESSION_FAILED", {
    expression: place,
    problem: `it must give ${wanted}, and gave ${describeValue(value)}`,
  });
}

function scopeOf({ id, type, source, at, key, headers, body }: TriggerEvent, now: number): Scope {
  const event = { id, type, source, time: new Date(at).toISOString(), key, headers, body };
  return { vars: {}, run: {}, task: () => undefined, now, event };
}
