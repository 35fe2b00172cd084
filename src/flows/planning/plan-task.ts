/** Executables of a document → task specs of the plan, with all defaults filled in. */
import { toError } from "../../base/errors.ts";
import type { Json } from "../../base/json/json.ts";
import { parseDurationMs } from "../../base/time/duration.ts";
import { routeOf } from "../../tasks/agents/transport.ts";
import { carrierOfTask, type LimitKey, type TaskType, type TaskTypeName } from "../../tasks/define.ts";
import { TASK_TYPES } from "../../tasks/index.ts";
import { DEFAULT_MAX_CONCURRENCY } from "../../tasks/parallel.ts";
import { splitChildren } from "../check/check-tasks.ts";
import type { ExecutableDocument, LimitDocument, RetryDocument } from "../document/schema.ts";
import type { KnownNames } from "../interpolation/references.ts";
import { compileTemplate, holdsExpression } from "../interpolation/template.ts";
import type { EvaluatedLimit, LimitSpec, RetryPolicy, TaskSpec, Template } from "../plan.ts";

/** Retries of a task without `retry_policy`: none. */
export const NO_RETRY: RetryPolicy = {
  maxRetries: 0,
  backoff: "exponential",
  initialDelayMs: 1_000,
  maxDelayMs: 60_000,
  multiplier: 2,
  nonRetryable: [],
};

/** Default number of retries of a `retry_policy`. */
const DEFAULT_MAX_RETRIES = 3;

/** Plans a task and its children. */
export function planTask(id: string, task: ExecutableDocument, names: KnownNames): TaskSpec {
  const type = task.type as TaskTypeName;
  const { effect, defaultTimeoutMs, leaving }: TaskType = TASK_TYPES[type];
  const parameters = (task.parameters ?? {}) as Record<string, Json>;
  const { children, rest } = splitChildren(type, parameters);
  const { items, ...others } = rest as Record<string, Json>;
  const isMap = type === "map";
  const isAwaited = type === "http" && parameters["await_callback"] === true;
  return {
    id,
    name: task.name ?? id,
    type,
    effect,
    ...(leaving === undefined ? {} : { carrier: carrierOfTask(leaving, parameters) }),
    ...(type === "ai" ? { route: routeOf(parameters) } : {}),
    ...(isAwaited ? { awaitsCallback: true } : {}),
    ...(task.limit === undefined ? {} : { limit: planLimit(task.limit, names) }),
    parameters: templateOf(isMap ? others : withDefaults(id, type, rest), names),
    retry: planRetry(task.retry_policy),
    timeouts: {
      startToCloseMs: durationOf(task.timeout) ?? (isAwaited ? null : defaultTimeoutMs),
      scheduleToStartMs: durationOf(task.schedule_to_start_timeout),
      scheduleToCloseMs: durationOf(task.schedule_to_close_timeout),
      heartbeatMs: durationOf(task.heartbeat_timeout),
    },
    limits: planLimits(task, names),
    onError: task.on_error ?? "fail",
    onReject: task.on_reject ?? "fail",
    condition: task.condition === undefined ? null : templateOf(task.condition, names),
    children:
      type === "parallel"
        ? children.map(({ value }, index) => planTask(`${id}.${index}`, value as ExecutableDocument, names))
        : null,
    map: isMap
      ? {
          items: templateOf(items ?? [], names),
          child: planTask(id, children[0]?.value as unknown as ExecutableDocument, names),
        }
      : null,
    maxConcurrency:
      typeof parameters["max_concurrency"] === "number" ? parameters["max_concurrency"] : DEFAULT_MAX_CONCURRENCY,
    failFast: parameters["fail_fast"] === true,
  };
}

/**
 * Compiles a template that has passed the checks. Throws FLOW_INVALID if it does not compile: a stored flow that this
 * version cannot read.
 */
export function templateOf(value: Json, names: KnownNames): Template {
  const { template, problems } = compileTemplate(value, names);
  const [problem] = problems;
  if (problem !== undefined) throw toError("FLOW_INVALID", { count: problems.length, first: problem.description });
  return template;
}

/** Milliseconds of a constant duration; null if there is none, or for an expression that is evaluated later. */
export function durationOf(value: number | string | undefined): number | null {
  return value === undefined || isEvaluated(value) ? null : parseDurationMs(value);
}

function isEvaluated(value: number | string): value is string {
  return typeof value === "string" && holdsExpression(value);
}

/** The limits of a task that are expressions. */
export function planLimits(
  task: Partial<Pick<ExecutableDocument, "retry_policy" | LimitKey>>,
  names: KnownNames,
): readonly EvaluatedLimit[] {
  const written = [
    ["startToCloseMs", "timeout", task.timeout],
    ["scheduleToStartMs", "schedule_to_start_timeout", task.schedule_to_start_timeout],
    ["scheduleToCloseMs", "schedule_to_close_timeout", task.schedule_to_close_timeout],
    ["heartbeatMs", "heartbeat_timeout", task.heartbeat_timeout],
    ["initialDelayMs", "retry_policy.initial_delay", task.retry_policy?.initial_delay],
    ["maxDelayMs", "retry_policy.max_delay", task.retry_policy?.max_delay],
  ] as const;
  return written.flatMap(([name, place, value]) =>
    value === undefined || !isEvaluated(value) ? [] : [{ name, place, duration: templateOf(value, names) }],
  );
}

/** The limit of a task or run. */
export function planLimit(limit: LimitDocument, names: KnownNames): LimitSpec {
  const { name, key = "", max_concurrent: maxConcurrent = null, rate, timeout } = limit;
  return {
    name,
    key: templateOf(key, names),
    maxConcurrent,
    rate: rate === undefined ? null : { count: rate.count, perMs: parseDurationMs(rate.per) },
    timeoutMs: durationOf(timeout),
  };
}

/** The policy with its defaults. */
export function planRetry(policy: RetryDocument | undefined): RetryPolicy {
  if (policy === undefined) return NO_RETRY;
  return {
    maxRetries: policy.max_retries ?? DEFAULT_MAX_RETRIES,
    backoff: policy.backoff_type ?? NO_RETRY.backoff,
    initialDelayMs: durationOf(policy.initial_delay) ?? NO_RETRY.initialDelayMs,
    maxDelayMs: durationOf(policy.max_delay) ?? NO_RETRY.maxDelayMs,
    multiplier: policy.multiplier ?? NO_RETRY.multiplier,
    nonRetryable: policy.non_retryable ?? [],
  };
}

function withDefaults(id: string, type: TaskTypeName, parameters: Json): Json {
  if (type === "signal") return { name: id, ...(parameters as Record<string, Json>) };
  return parameters;
}
