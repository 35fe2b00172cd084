/** Services with their entries. An entry is written as the configuration writes it, so one schema judges both. */
import { create } from "@bufbuild/protobuf";
import type { Duration } from "@bufbuild/protobuf/wkt";
import type { Json, JsonObject } from "../../../base/json/json.ts";
import { parseDurationMs } from "../../../base/time/duration.ts";
import type { ServiceView } from "../../../engine/ports/routing/services.ts";
import {
  type NamedService,
  NamedServiceSchema,
  NamedServiceSource,
  type ServiceEntry,
  ServiceEntrySchema,
  ServiceRetry,
} from "../../../gen/orchestrator/v1/tool_service_pb.ts";
import { fromDuration, toDuration, toTimestamp } from "../time.ts";

const SOURCE = {
  configuration: NamedServiceSource.CONFIGURATION,
  call: NamedServiceSource.CALL,
  registry: NamedServiceSource.REGISTRY,
} as const satisfies Record<ServiceView["source"], NamedServiceSource>;

const RETRY: Readonly<Record<string, ServiceRetry>> = {
  task: ServiceRetry.TASK,
  safe: ServiceRetry.SAFE,
  never: ServiceRetry.NEVER,
};

export function toService({ name, url, source, entry, put, ...view }: ServiceView): NamedService {
  const { reachable, lastCallAt, headerNames, hidden } = view;
  return create(NamedServiceSchema, {
    ...{ name, url, source: SOURCE[source], reachable, entry: toEntry(entry), headerNames: [...headerNames], hidden },
    ...(lastCallAt === null ? {} : { lastCallTime: toTimestamp(lastCallAt) }),
    ...(put !== null && {
      ...{ etag: put.revision, updateTime: toTimestamp(put.updatedAt), actor: put.by, changeReason: put.why },
    }),
  });
}

/** As `routing.services` has it. */
export function fromEntry(entry: ServiceEntry): JsonObject {
  const { url, timeout, breakerFailures, breakerOpen, breakerMaxOpen, maxConcurrent, maxQueued, healthPath } = entry;
  const retry = Object.entries(RETRY).find(([, value]) => value === entry.retry)?.[0];
  const given: Readonly<Record<string, Json | undefined>> = {
    ...{ url, timeout: fromLength(timeout), retry, breaker_failures: breakerFailures },
    ...{ breaker_open: fromLength(breakerOpen), breaker_max_open: fromLength(breakerMaxOpen) },
    ...{ max_concurrent: maxConcurrent, max_queued: maxQueued },
    health_path: healthPath === "" ? undefined : healthPath,
    limit: entry.limit === "" ? undefined : entry.limit,
  };
  return Object.fromEntries(Object.entries(given).filter((field): field is [string, Json] => field[1] !== undefined));
}

function toEntry(entry: JsonObject): ServiceEntry {
  const [timeout, open, maxOpen] = [entry["timeout"], entry["breaker_open"], entry["breaker_max_open"]].map(toLength);
  const [failures, concurrent, queued] = [entry["breaker_failures"], entry["max_concurrent"], entry["max_queued"]];
  return create(ServiceEntrySchema, {
    ...{
      url: String(entry["url"]),
      healthPath: String(entry["health_path"] ?? ""),
      limit: String(entry["limit"] ?? ""),
    },
    retry: RETRY[String(entry["retry"])] ?? ServiceRetry.UNSPECIFIED,
    ...(timeout === undefined ? {} : { timeout }),
    ...(open === undefined ? {} : { breakerOpen: open }),
    ...(maxOpen === undefined ? {} : { breakerMaxOpen: maxOpen }),
    ...(typeof failures === "number" ? { breakerFailures: failures } : {}),
    ...(typeof concurrent === "number" ? { maxConcurrent: concurrent } : {}),
    ...(typeof queued === "number" ? { maxQueued: queued } : {}),
  });
}

/** Seconds. */
function fromLength(duration: Duration | undefined): number | undefined {
  return duration === undefined ? undefined : fromDuration(duration) / 1_000;
}

function toLength(value: Json | undefined): Duration | undefined {
  return typeof value === "number" || typeof value === "string" ? toDuration(parseDurationMs(value)) : undefined;
}
