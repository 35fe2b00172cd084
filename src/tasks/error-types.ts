/**
 * Error types of tasks, as used in `match` and `non_retryable`. A test compares this table with the code that creates
 * the errors.
 */
import { STATUS_CODES } from "node:http";
import { statusType } from "../base/net/http-status.ts";
import { MODEL_ERRORS } from "./agents/model-errors.ts";
import type { TaskTypeName } from "./define.ts";

/** Errors of every task type. */
const EVERY = ["EXPRESSION_FAILED", "EXPRESSION_TOO_COSTLY", "PARAMETERS_INVALID", "OUTPUT_TOO_LARGE"] as const;

/** Errors of task types that make attempts. */
const ATTEMPTS = [
  "TIMEOUT",
  "SCHEDULE_TO_START_TIMEOUT",
  "SCHEDULE_TO_CLOSE_TIMEOUT",
  "LIMIT_WAIT_EXPIRED",
  "HEARTBEAT_TIMEOUT",
  "ATTEMPT_LOST",
  "CANCELED",
  "INTERNAL",
  "RUN_HELD",
  "SHUTTING_DOWN",
  "TOOL_MISSING",
  "TOOL_FAILED",
  "BREAKER_OPEN",
  "BREAKER_FORCED_OPEN",
  "BULKHEAD_FULL",
  "GATE_DENIED",
  "GATE_ASKED",
  "REFLEX_UNAVAILABLE",
  "LIMIT_WAIT",
] as const;

/**
 * Agents have types of their own, too; these are the service's, and those of the agents in the examples.
 * `ANSWER_INVALID` is retryable: the agent is at fault, and another one, or another answer of it, may be well.
 */
const AGENT = [...ATTEMPTS, "AGENT_FAILED", "ANSWER_INVALID", "WORKER_LOST", "ORPHANED"] as const;

const GROUP = ["CHILD_FAILED", "TIMEOUT", "SCHEDULE_TO_CLOSE_TIMEOUT"] as const;

/** Errors of each task type, besides {@link EVERY}. */
const OWN: Readonly<Record<TaskTypeName, readonly string[]>> = {
  http: [
    ...ATTEMPTS,
    "REQUEST_INVALID",
    "SERVICE_NOT_FOUND",
    "SECRET_NOT_FOUND",
    "ADDRESS_REFUSED",
    "CONNECTION_REFUSED",
    "CONNECT_TIMEOUT",
    "DNS_FAILED",
    "TLS_FAILED",
    "CONNECT_FAILED",
    "CONNECTION_LOST",
    "REDIRECT_REFUSED",
    "TOO_MANY_REDIRECTS",
    "RESPONSE_TOO_LARGE",
    "RESPONSE_INVALID",
    "RESPONSE_UNSUPPORTED",
    "ORPHANED",
    ...Object.keys(STATUS_CODES).map((status) => statusType(Number(status))),
  ],
  transform: [],
  condition: [],
  parallel: GROUP,
  map: [...GROUP, "MAP_ITEMS_INVALID", "MAP_TOO_LARGE"],
  wait: ["WAIT_INVALID"],
  signal: ["SIGNAL_TIMEOUT", "SCHEDULE_TO_CLOSE_TIMEOUT"],
  approval: ["APPROVAL_REJECTED", "APPROVAL_TIMEOUT", "SCHEDULE_TO_CLOSE_TIMEOUT"],
  subflow: [
    "CHILD_RUN_FAILED",
    "CHILD_RUN_CANCELED",
    "TIMEOUT",
    "SCHEDULE_TO_CLOSE_TIMEOUT",
    "RUN_KEY_OPEN",
    "GATE_DENIED",
  ],
  emit: ATTEMPTS,
  noop: ATTEMPTS,
  step: ATTEMPTS,
  worker: [...ATTEMPTS, "WORKER_LOST", "WORKER_RESULT_INVALID", "QUEUE_EXPIRED", "ORPHANED"],
  queue: [
    ...ATTEMPTS,
    "EXECUTOR_FAILED",
    "DISPATCH_REJECTED",
    "WORKER_LOST",
    "WORKER_RESULT_INVALID",
    "QUEUE_EXPIRED",
    "ORPHANED",
  ],
  data: AGENT,
  ai: [...AGENT, ...MODEL_ERRORS, "PROVIDER_NOT_FOUND", "SECRET_NOT_FOUND", "OUTCOME_UNKNOWN"],
  exec: AGENT,
  graph: [
    ...ATTEMPTS,
    "GRAPH_NOT_LOADED",
    "GRAPH_BUSY",
    "GRAPH_FAILED",
    "GRAPH_CRASHED",
    "GRAPH_TIMEOUT",
    "GRAPH_MEMORY",
    "GRAPH_TOO_MANY_STEPS",
    "GRAPH_BREAKPOINT",
    "GRAPH_STATE_INVALID",
    "GRAPH_INTERRUPT_INVALID",
    "SUSPENDED",
  ],
};

/** Every error type of the product. */
export const ERROR_TYPES: ReadonlySet<string> = new Set([...EVERY, ...Object.values(OWN).flat()]);

/** Returns the error types of a task type, or undefined if user code defines its own errors, which cannot be listed. */
export function errorTypesOf(type: TaskTypeName): ReadonlySet<string> | undefined {
  return type === "graph" ? undefined : new Set([...EVERY, ...OWN[type]]);
}
