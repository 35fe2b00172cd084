/**
 * AdminService: the levels of logs, and what is sent to support. Each instance is asked for its own by the same
 * method.
 */
import { create } from "@bufbuild/protobuf";
import { fail } from "../../../base/errors.ts";
import type { LogComponent } from "../../../base/log.ts";
import type { Diagnostics } from "../../../engine/ports/admin/diagnostics.ts";
import type { LogControl } from "../../../engine/ports/admin/log-control.ts";
import type { Cluster } from "../../../engine/ports/cluster.ts";
import {
  AdminService,
  GetDiagnosticsResponseSchema,
  GetLogLevelsResponseSchema,
  type InstanceLogLevels,
  SetLogLevelResponseSchema,
} from "../../../gen/orchestrator/v1/admin_service_pb.ts";
import type { ServiceHandlers } from "../../calls/call.ts";
import { defineService } from "../../calls/services.ts";
import { fromLineLevel, toDiagnosticFile, toInstanceLogLevels } from "../../mapping/admin/admin.ts";
import { fromDuration } from "../../mapping/time.ts";
import type { AskPeers } from "../../peers/ask-peers.ts";

interface Needs {
  readonly logControl: LogControl;
  readonly diagnostics: Diagnostics;
  readonly cluster: Pick<Cluster, "view">;
  readonly askPeers: AskPeers;
}

/** How long a level is in force if nobody says, milliseconds. */
const DEFAULT_MS = 900_000;

const { getDiagnostics, setLogLevel, getLogLevels } = AdminService.method;

function createHandlers({ logControl, diagnostics, cluster, askPeers }: Needs): ServiceHandlers<typeof AdminService> {
  const { instanceId: ownId } = diagnostics;
  const ownLevels = (): InstanceLogLevels => toInstanceLogLevels(ownId, logControl);
  return {
    async getLogLevels(request, call) {
      const { answers, silent } = await askPeers(getLogLevels, request, call);
      const instances = [ownLevels(), ...answers.flatMap((answer) => answer.instances)].toSorted(byId);
      return create(GetLogLevelsResponseSchema, { instances, silentInstanceCount: silent });
    },

    async setLogLevel(request, call) {
      const { instanceId, reason: why } = request;
      const component = request.component === "" ? null : (request.component as LogComponent);
      const level = fromLineLevel(request.level);
      const by = call.caller.actor;
      const isMeant = instanceId === "" || instanceId === ownId;
      if (isMeant && level === null) logControl.reset(component, by, why);
      if (isMeant && level !== null) {
        const forMs = request.duration === undefined ? DEFAULT_MS : fromDuration(request.duration);
        logControl.override({ component, level, forMs, by, why });
      }
      const own = isMeant ? [ownLevels()] : [];
      if (instanceId === ownId) return create(SetLogLevelResponseSchema, { instances: own });
      const { answers, silent } = await askPeers(setLogLevel, request, call);
      const instances = [...own, ...answers.flatMap((answer) => answer.instances)].toSorted(byId);
      if (instances.length === 0) fail("INSTANCE_NOT_FOUND", { instanceId });
      return create(SetLogLevelResponseSchema, { instances, silentInstanceCount: silent });
    },

    async getDiagnostics(request, call) {
      const { instanceId } = request;
      if (instanceId !== "" && instanceId !== ownId) {
        const { answers } = await askPeers(getDiagnostics, request, call);
        return answers[0] ?? fail("INSTANCE_NOT_FOUND", { instanceId });
      }
      const files = await diagnostics.ofInstance();
      const more = instanceId === "" ? await diagnostics.ofDatabase() : [];
      return create(GetDiagnosticsResponseSchema, {
        instanceId: ownId,
        knownInstanceIds: [ownId, ...cluster.view().others.map(({ id }) => id)].sort(),
        files: [...files, ...more].map(toDiagnosticFile),
      });
    },
  };
}

function byId(a: InstanceLogLevels, b: InstanceLogLevels): number {
  return a.instanceId < b.instanceId ? -1 : 1;
}

export const adminService = defineService(AdminService, createHandlers);
