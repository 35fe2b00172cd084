/** ToolService: what tasks can call. */
import { create } from "@bufbuild/protobuf";
import { fail } from "../../../base/errors.ts";
import type { Caller } from "../../../engine/ports/caller.ts";
import type { LimitControl } from "../../../engine/ports/dispatch/limit-control.ts";
import type {
  PutServices,
  RegistryView,
  ServiceCatalogue,
  ServiceView,
} from "../../../engine/ports/routing/services.ts";
import {
  DeleteServiceResponseSchema,
  GetServiceResponseSchema,
  ListServicesResponseSchema,
  PutServiceResponseSchema,
  type ServiceEntry,
  type ServiceRegistry,
  ServiceRegistryOrigin,
  ServiceRegistrySchema,
  ServiceRegistryState,
  ToolService,
} from "../../../gen/orchestrator/v1/tool_service_pb.ts";
import type { ServiceHandlers } from "../../calls/call.ts";
import { defineService } from "../../calls/services.ts";
import { cutPage, pageSizeOf } from "../../lists/paging.ts";
import type { Place } from "../../lists/tokens.ts";
import { fromEntry, toService } from "../../mapping/routing/service.ts";
import { toDuration, toTimestamp } from "../../mapping/time.ts";
import { type BreakerNeeds, createBreakerCalls } from "./breaker-calls.ts";

interface Needs extends BreakerNeeds {
  readonly services: ServiceCatalogue;
  readonly putServices: PutServices;
  readonly limitControl: Pick<LimitControl, "viewLimits">;
}

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
  const { services, putServices, limitControl, tokens } = needs;
  /** A limit without bounds gives out nothing: its tasks would wait. Error: LIMIT_NOT_DECLARED. */
  const checkLimit = async (caller: Caller, limit: string): Promise<void> => {
    if (limit === "") return;
    const [found] = await limitControl.viewLimits(caller, [limit]);
    if (found === undefined || found.declaration === null) fail("LIMIT_NOT_DECLARED", { limit });
  };
  return {
    ...createBreakerCalls(needs),
    async listServices({ pageSize, pageToken }, { caller }) {
      const query = ["ListServices"];
      const place = tokens.fromPageToken(caller.tenantId, query, pageToken);
      const size = pageSizeOf(pageSize);
      await services.begin();
      const views = await services.list(caller.tenantId);
      const rest = views.filter((view) => place === null || isAfter(view, place)).slice(0, size + 1);
      const { lines, next } = cutPage(rest, size, placeOf);
      const registry = services.registry();
      return create(ListServicesResponseSchema, {
        services: lines.map(toService),
        nextPageToken: next === null ? "" : tokens.toPageToken(caller.tenantId, query, next),
        ...(registry === null ? {} : { registry: toRegistry(registry) }),
      });
    },

    async getService({ name }, { caller }) {
      const [service, ...hidden] = services.view(caller.tenantId, name);
      if (service === undefined) return fail("SERVICE_UNKNOWN", { service: name, hint: "" });
      return create(GetServiceResponseSchema, {
        service: toService(service),
        hiddenServices: hidden.map(toService),
      });
    },

    async putService({ name, entry, etag, changeReason }, { caller }) {
      // It is required.
      const said = fromEntry(entry as ServiceEntry);
      await checkLimit(caller, entry?.limit ?? "");
      const { service: put, created } = await putServices.put(caller, name, said, etag, changeReason);
      const views = services.view(caller.tenantId, name);
      // Those that this instance cannot read at the moment are what was stored all the same.
      const view = views.find(({ source }) => source === "call");
      const stored: ServiceView = {
        ...{ name, url: String(said["url"]), source: "call", headerNames: [], reachable: false, lastCallAt: null },
        ...{ hidden: views[0]?.source === "configuration", ...view, entry: said, put },
      };
      return create(PutServiceResponseSchema, { service: toService(stored), created });
    },

    async deleteService({ name, etag, changeReason }, { caller }) {
      const wasPut = await putServices.delete(caller, name, etag, changeReason);
      return create(DeleteServiceResponseSchema, { wasPut });
    },
  };
}

/** Of entries of one name: the one that calls use comes first. */
const ORDER = { configuration: 0, call: 1, registry: 2 } as const satisfies Record<ServiceView["source"], number>;

function placeOf({ name, source }: ServiceView): Place {
  return [name, ORDER[source]];
}

function isAfter(view: ServiceView, [name, source]: Place): boolean {
  if (view.name !== name) return view.name > String(name);
  return ORDER[view.source] > Number(source);
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
