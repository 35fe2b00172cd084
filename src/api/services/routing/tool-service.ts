/** ToolService: what tasks can call. */
import { create } from "@bufbuild/protobuf";
import type { RegistryView, ServiceCatalogue, ServiceView } from "../../../engine/ports/routing/services.ts";
import {
  ListServicesResponseSchema,
  type NamedService,
  NamedServiceSchema,
  NamedServiceSource,
  type ServiceRegistry,
  ServiceRegistryOrigin,
  ServiceRegistrySchema,
  ServiceRegistryState,
  ToolService,
} from "../../../gen/orchestrator/v1/tool_service_pb.ts";
import type { ServiceHandlers } from "../../calls/call.ts";
import { defineService } from "../../calls/services.ts";
import { cutPage, pageSizeOf } from "../../lists/paging.ts";
import { toDuration, toTimestamp } from "../../mapping/time.ts";
import { type BreakerNeeds, createBreakerCalls } from "./breaker-calls.ts";

interface Needs extends BreakerNeeds {
  readonly services: ServiceCatalogue;
}

const SOURCE = {
  configuration: NamedServiceSource.CONFIGURATION,
  registry: NamedServiceSource.REGISTRY,
} as const satisfies Record<ServiceView["source"], NamedServiceSource>;

const STATE = {
  active: ServiceRegistryState.ACTIVE,
  stale: ServiceRegistryState.STALE,
  unavailable: ServiceRegistryState.UNAVAILABLE,
} as const satisfies Record<RegistryView["state"], ServiceRegistryState>;

const ORIGIN = {
  registry: ServiceRegistryOrigin.REGISTRY,
  disk: ServiceRegistryOrigin.DISK,
  none: ServiceRegistryOrigin.UNSPECIFIED,
} as const satisfies Record<RegistryView["servedFrom"], ServiceRegistryOrigin>;

function createHandlers(needs: Needs): ServiceHandlers<typeof ToolService> {
  const { services, tokens } = needs;
  return {
    ...createBreakerCalls(needs),
    async listServices({ pageSize, pageToken }, { caller }) {
      const query = ["ListServices"];
      const place = tokens.fromPageToken(caller.tenantId, query, pageToken);
      const size = pageSizeOf(pageSize);
      await services.begin();
      const views = await services.list();
      const after = place === null ? "" : String(place[0]);
      const rest = views.filter(({ name }) => name > after).slice(0, size + 1);
      const { lines, next } = cutPage(rest, size, ({ name }) => name);
      const registry = services.registry();
      return create(ListServicesResponseSchema, {
        services: lines.map(toService),
        nextPageToken: next === null ? "" : tokens.toPageToken(caller.tenantId, query, [next]),
        ...(registry === null ? {} : { registry: toRegistry(registry) }),
      });
    },
  };
}

function toService({ name, url, source, reachable, lastCallAt }: ServiceView): NamedService {
  return create(NamedServiceSchema, {
    ...{ name, url, source: SOURCE[source], reachable },
    ...(lastCallAt === null ? {} : { lastCallTime: toTimestamp(lastCallAt) }),
  });
}

function toRegistry({ url, state, servedFrom, syncs, syncedAt, ...more }: RegistryView): ServiceRegistry {
  const { lastSyncMs, ageMs, skipped, problem } = more;
  return create(ServiceRegistrySchema, {
    ...{ url, state: STATE[state], servedFrom: ORIGIN[servedFrom], skippedCount: skipped, problem },
    ...{ succeededSyncCount: syncs.succeeded, failedSyncCount: syncs.failed },
    ...(syncedAt === null ? {} : { syncTime: toTimestamp(syncedAt) }),
    ...(lastSyncMs === null ? {} : { syncDuration: toDuration(lastSyncMs) }),
    ...(ageMs === null ? {} : { age: toDuration(ageMs) }),
  });
}

export const toolService = defineService(ToolService, createHandlers);
