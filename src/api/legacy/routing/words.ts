/** The words of this interface: statuses, codes of errors, and what they stand for. */
import { isOrchestratorError, type OrchestratorError } from "../../../base/errors.ts";
import { type RoutedTask, RoutedTaskState } from "../../../gen/orchestrator/v1/routed_task_pb.ts";
import { ServiceRegistryOrigin, ServiceRegistryState } from "../../../gen/orchestrator/v1/tool_service_pb.ts";

/** What has become of a task. */
export const TASK_STATUSES = ["pending", "success", "error", "timeout"] as const;
export type TaskStatus = (typeof TASK_STATUSES)[number];

/** Methods of a call. */
export const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] as const;

/** Who says where a droplet is. */
export const SOURCES = ["registry", "configuration", "call"] as const;

/** Codes of errors with their HTTP statuses. */
export const ERROR_STATUS = {
  INVALID_REQUEST: 400,
  DROPLET_NOT_FOUND: 404,
  TASK_NOT_FOUND: 404,
  NOT_FOUND: 404,
  METHOD_NOT_ALLOWED: 405,
  CONFLICT: 409,
  PAYLOAD_TOO_LARGE: 413,
  LOOP_DETECTED: 508,
  INTERNAL_ERROR: 500,
  DROPLET_UNREACHABLE: 502,
  REGISTRY_ERROR: 503,
  UNAVAILABLE: 503,
  TIMEOUT: 504,
} as const;
export type ErrorWord = keyof typeof ERROR_STATUS;

/** The state of the registry, and of what is served. */
export const CACHE_STATUSES = ["active", "stale", "unavailable"] as const;
export type CacheStatus = (typeof CACHE_STATUSES)[number];

/** Where droplets come from. */
export const ORIGINS = ["registry", "disk", "configuration"] as const;
export type Origin = (typeof ORIGINS)[number];

const STATUS: ReadonlyMap<RoutedTaskState, TaskStatus> = new Map([
  [RoutedTaskState.PENDING, "pending"],
  [RoutedTaskState.SUCCESS, "success"],
  [RoutedTaskState.ERROR, "error"],
  [RoutedTaskState.TIMEOUT, "timeout"],
]);

const CACHE: ReadonlyMap<ServiceRegistryState, CacheStatus> = new Map([
  [ServiceRegistryState.ACTIVE, "active"],
  [ServiceRegistryState.STALE, "stale"],
  [ServiceRegistryState.UNAVAILABLE, "unavailable"],
]);

const ORIGIN: ReadonlyMap<ServiceRegistryOrigin, Origin> = new Map([
  [ServiceRegistryOrigin.REGISTRY, "registry"],
  [ServiceRegistryOrigin.DISK, "disk"],
]);

/** The status of a task. */
export function statusOf(state: RoutedTaskState): TaskStatus {
  return STATUS.get(state) ?? "pending";
}

/** The state that a status stands for; undefined: there is no such status. */
export function fromStatus(text: string): RoutedTaskState | undefined {
  return [...STATUS].find(([, status]) => status === text)?.[0];
}

/** The state of a registry. */
export function cacheStatusOf(state: ServiceRegistryState | undefined): CacheStatus {
  return (state === undefined ? undefined : CACHE.get(state)) ?? "unavailable";
}

/** Where the entries of a registry came from. */
export function originOf(origin: ServiceRegistryOrigin | undefined): Origin {
  return (origin === undefined ? undefined : ORIGIN.get(origin)) ?? "configuration";
}

/** The error of a task that no service has answered. Error types are those of `http` tasks. */
export function errorOfTask({ state, error }: RoutedTask): ErrorWord {
  if (state === RoutedTaskState.TIMEOUT) return "TIMEOUT";
  switch (error?.type) {
    case "SERVICE_NOT_FOUND":
      return "DROPLET_NOT_FOUND";
    case "REQUEST_INVALID":
      return "INVALID_REQUEST";
    case "LOOP_DETECTED":
      return "LOOP_DETECTED";
    default:
      return "DROPLET_UNREACHABLE";
  }
}

/** Codes of ours that have a word of their own; the others have that of their HTTP status. */
const OF_CODE: Readonly<Record<string, ErrorWord>> = {
  SERVICE_UNKNOWN: "DROPLET_NOT_FOUND",
  ROUTED_TASK_NOT_FOUND: "TASK_NOT_FOUND",
  REGISTRY_UNAVAILABLE: "REGISTRY_ERROR",
  ROUTING_LOOP: "LOOP_DETECTED",
};

const OF_STATUS: Readonly<Record<number, ErrorWord>> = {
  404: "NOT_FOUND",
  405: "METHOD_NOT_ALLOWED",
  409: "CONFLICT",
  413: "PAYLOAD_TOO_LARGE",
  503: "UNAVAILABLE",
  504: "TIMEOUT",
};

/** The word of an error of ours. */
export function errorOf(error: OrchestratorError): ErrorWord {
  return OF_CODE[error.code] ?? OF_STATUS[error.http] ?? (error.http < 500 ? "INVALID_REQUEST" : "INTERNAL_ERROR");
}

/** Whether an error has this code. */
export function isCode(error: unknown, code: OrchestratorError["code"]): boolean {
  return isOrchestratorError(error) && error.code === code;
}
