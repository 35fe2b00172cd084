/** Random tasks for the wide flows: of every type, with policies, timeouts and expressions that now and then fail. */
import type { JsonMap, RetryDoc, WorkDoc } from "./document.ts";
import type { Random } from "./random.ts";
import { RUN_STARTS_AT } from "./world.ts";

/** Names of the signals that wide flows use. */
export const SIGNAL_NAMES = ["red", "green", "blue"] as const;

/** Types of errors that attempts fail with. */
export const ERROR_TYPES = ["E1", "E2", "E3"] as const;

/** A task whose result an expression may read, and under which name. */
export type Readable = { name: string; type: WorkDoc["type"] };

/** What a task may read and how deep groups may nest. */
export type WorkContext = { readable: Readable[]; own: string[]; depth: number };

/**
 * A duration of `low` to `high` milliseconds. Milliseconds are arbitrary, so that two things seldom have the same time.
 */
export function randomDuration(random: Random, low: number, high: number): string {
  return `${random.int(low, high)}ms`;
}

/** A duration of a task: a constant, or now and then an expression that reads what its parameters may read. */
function duration(random: Random, context: WorkContext, low: number, high: number): string {
  if (random.chance(0.8)) return randomDuration(random, low, high);
  return `\${(${numberExpression(random, context)}) % 20 * ${random.int(1, Math.ceil(high / 20))} + ${low}}ms`;
}

/** A number as an expression. Reads with a guard, but for the few that shall fail. */
export function numberExpression(random: Random, context: WorkContext): string {
  if (context.own.length > 0 && random.chance(0.5)) return random.pick(context.own);
  if (context.readable.length === 0 || random.chance(0.2)) return random.pick(["vars.x", "x", "vars.y", "3", "11"]);
  const { name, type } = random.pick(context.readable);
  const read = readNumber(random, name, type);
  if (random.chance(0.1)) return readError(random, name);
  return random.chance(0.05) ? read : `(${name}.state == "COMPLETED" ? ${read} : ${random.int(0, 9)})`;
}

function readNumber(random: Random, name: string, type: WorkDoc["type"]): string {
  switch (type) {
    case "condition":
      return `(${name}.output.result ? 1 : 0)`;
    case "approval":
      return `(${name}.output.approved ? 1 : 0)`;
    case "wait":
    case "emit":
      return `(${name}.output == null ? 2 : 1)`;
    case "parallel":
    case "map": {
      const child = random.chance(0.5) ? `${name}.outputs[0]` : `${name}.output.outputs[0]`;
      return `(${name}.output.outputs == [] || ${child} == null ? 4 : 5)`;
    }
    default:
      return `${name}.output.n`;
  }
}

/** A number that says whether a task has an error, and which. */
function readError(random: Random, name: string): string {
  if (random.chance(0.5)) return `(${name}.error == null ? ${random.int(0, 4)} : ${random.int(5, 9)})`;
  return `(${name}.error != null && ${name}.error.type == "${random.pick(ERROR_TYPES)}" ? 1 : 6)`;
}

/** A condition as `${…}`. One in thirty gives a number instead of a boolean. */
export function booleanTemplate(random: Random, context: WorkContext): string {
  const number = numberExpression(random, context);
  if (random.chance(1 / 30)) return `\${${number} + 1}`;
  const modulus = random.int(2, 4);
  return random.pick([
    `\${${number} % ${modulus} == ${random.int(0, modulus - 1)}}`,
    `\${${number} > ${random.int(0, 8)}}`,
    `\${!(${number} < 4) && vars.x != ${random.int(0, 9)}}`,
    `\${vars.x == ${random.int(0, 3)} || ${number} >= 5}`,
  ]);
}

/** A value with an `n` in it, which other tasks read. */
export function valueTemplate(random: Random, context: WorkContext): JsonMap {
  const n = `\${(${numberExpression(random, context)} * ${random.int(1, 3)} + ${random.int(0, 9)}) % 101}`;
  return random.chance(0.05) ? { n, text: `$\${x} is \${vars.x}` } : { n };
}

/** A task of a random type. */
export function generateWork(random: Random, context: WorkContext): WorkDoc {
  const roll = random.next();
  if (roll < 0.45) return generateEffectful(random, context);
  if (roll < 0.65)
    return withOnError(random, { type: "transform", parameters: { output: valueTemplate(random, context) } });
  if (roll < 0.67) return { type: "emit", parameters: { topic: "news", payload: valueTemplate(random, context) } };
  if (roll < 0.72) return generateSubflow(random, context);
  if (roll < 0.76) return generateWait(random);
  if (roll < 0.82) return generateSignal(random, context);
  if (roll < 0.88) return generateApproval(random, context);
  return context.depth > 0 ? generateGroup(random, context) : generateEffectful(random, context);
}

/** A call, by the service or by a worker, that gives `value`. */
export function callOf(type: "noop" | "worker", value: JsonMap): WorkDoc {
  return type === "noop"
    ? { type, parameters: { output: value } }
    : { type, parameters: { handler: "h", input: value } };
}

/** A `noop`, or a task for a worker, with policies. */
export function generateEffectful(random: Random, context: WorkContext): WorkDoc {
  const doc = callOf(random.chance(0.3) ? "worker" : "noop", valueTemplate(random, context));
  if (random.chance(0.6)) doc.retry_policy = generateRetry(random, context);
  if (random.chance(0.25)) doc.timeout = duration(random, context, 500, 20_000);
  if (random.chance(0.2)) doc.schedule_to_close_timeout = duration(random, context, 1_000, 40_000);
  if (random.chance(0.15)) doc.schedule_to_start_timeout = duration(random, context, 200, 8_000);
  if (random.chance(0.15)) doc.heartbeat_timeout = duration(random, context, 300, 9_000);
  return withOnError(random, doc);
}

function generateSubflow(random: Random, context: WorkContext): WorkDoc {
  const doc: WorkDoc = { type: "subflow", parameters: { flow_id: "child", input: valueTemplate(random, context) } };
  if (random.chance(0.5)) doc.retry_policy = generateRetry(random, context);
  if (random.chance(0.2)) doc.timeout = randomDuration(random, 500, 20_000);
  return withOnError(random, doc);
}

function generateRetry(random: Random, context: WorkContext): RetryDoc {
  const retry: RetryDoc = { max_retries: random.int(0, 3) };
  if (random.chance(0.1)) return retry;
  const backoff = random.pick(["fixed", "linear", "exponential", "full_jitter"] as const);
  retry.backoff_type = backoff;
  retry.initial_delay = duration(random, context, 50, 5_000);
  if (random.chance(0.7)) retry.max_delay = duration(random, context, 1_000, 9_000);
  const grows = backoff === "exponential" || backoff === "full_jitter";
  if (grows && random.chance(0.5)) retry.multiplier = random.int(1, 4);
  if (random.chance(0.3)) retry.non_retryable = random.some([...ERROR_TYPES, "TIMEOUT", "CHILD_RUN_CANCELED"], 1, 2);
  return retry;
}

function generateWait(random: Random): WorkDoc {
  if (random.chance(0.3)) {
    const until = new Date(RUN_STARTS_AT + random.int(1, 20_000)).toISOString();
    return { type: "wait", parameters: { until } };
  }
  return { type: "wait", parameters: { duration: random.chance(0.15) ? 0 : randomDuration(random, 1, 20_000) } };
}

function generateSignal(random: Random, context: WorkContext): WorkDoc {
  const doc: WorkDoc = { type: "signal", parameters: { name: random.pick(SIGNAL_NAMES) } };
  if (random.chance(0.6)) doc.timeout = duration(random, context, 500, 20_000);
  return withOnError(random, doc);
}

function generateApproval(random: Random, context: WorkContext): WorkDoc {
  const doc: WorkDoc = { type: "approval" };
  if (random.chance(0.6)) doc.timeout = duration(random, context, 500, 20_000);
  if (random.chance(0.4)) doc.on_reject = "continue";
  return withOnError(random, doc);
}

function generateGroup(random: Random, context: WorkContext): WorkDoc {
  const settings: JsonMap = {};
  if (random.chance(0.7)) settings.max_concurrency = random.int(1, 3);
  if (random.chance(0.35)) settings.fail_fast = true;
  const closing = random.chance(0.15) ? { timeout: duration(random, context, 500, 20_000) } : {};
  const child = (own: string[]): JsonMap =>
    generateWork(random, { ...context, own: [...context.own, ...own], depth: context.depth - 1 }) as JsonMap;
  if (random.chance(0.5)) {
    const tasks = Array.from({ length: random.int(0, 4) }, () => child(["index"]));
    return withOnError(random, { type: "parallel", parameters: { tasks, ...settings }, ...closing });
  }
  const list = `\${vars.list}`;
  const items = random.chance(0.08)
    ? list.replace("list", "x")
    : random.chance(0.5)
      ? list
      : [...Array(random.int(0, 5)).keys()];
  return withOnError(random, {
    type: "map",
    parameters: { items, task: child(["item", "index"]), ...settings },
    ...closing,
  });
}

function withOnError(random: Random, doc: WorkDoc): WorkDoc {
  if (random.chance(0.2)) doc.on_error = "continue";
  return doc;
}
