/** The calls of ToolService about breakers and bulkheads, and what operators say about them. */
import { create } from "@bufbuild/protobuf";
import { refuseField } from "../../../base/field-error.ts";
import type { Breakers, OverrideTarget, ToolOverrides } from "../../../engine/ports/routing/tool-overrides.ts";
import { type Breaker, ForcedBreaker } from "../../../gen/orchestrator/v1/breaker_pb.ts";
import {
  LiftToolOverrideResponseSchema,
  ListBreakersResponseSchema,
  ListToolOverridesResponseSchema,
  type PutToolOverrideRequest,
  PutToolOverrideResponseSchema,
  ResetBreakersResponseSchema,
  ToolService,
} from "../../../gen/orchestrator/v1/tool_service_pb.ts";
import type { ServiceHandlers } from "../../calls/call.ts";
import { cutPage, pageSizeOf } from "../../lists/paging.ts";
import type { Place, Tokens } from "../../lists/tokens.ts";
import { fromForced, fromTarget, toBreaker, toOverride } from "../../mapping/routing/breaker.ts";
import { fromTimestamp } from "../../mapping/time.ts";
import type { AskPeers } from "../../peers/ask-peers.ts";

export interface BreakerNeeds {
  readonly breakers: Breakers;
  readonly toolOverrides: ToolOverrides;
  readonly tokens: Tokens;
  readonly askPeers: AskPeers;
}

type Methods = Pick<
  ServiceHandlers<typeof ToolService>,
  "listBreakers" | "resetBreakers" | "listToolOverrides" | "putToolOverride" | "liftToolOverride"
>;

export function createBreakerCalls({ breakers, toolOverrides, tokens, askPeers }: BreakerNeeds): Methods {
  return {
    async listBreakers(request, call) {
      const { tenantId } = call.caller;
      const { service, origin, flowId } = request;
      const query = ["ListBreakers", JSON.stringify([service, origin, flowId])];
      const place = tokens.fromPageToken(tenantId, query, request.pageToken);
      const size = pageSizeOf(request.pageSize);
      const own = breakers
        .listBreakers()
        .filter((view) => view.tenantId === tenantId)
        .filter((view) => service === "" || view.service === service)
        .filter((view) => origin === "" || view.origin === origin)
        .filter((view) => flowId === "" || view.flowId === flowId)
        .map((view) => toBreaker(view, breakers.instanceId))
        .filter((breaker) => place === null || compare(placeOf(breaker), place) > 0);
      const { answers, silent } = await askPeers(ToolService.method.listBreakers, request, call);
      const theirs = answers.flatMap((answer) => answer.breakers);
      const all = [...own, ...theirs].toSorted((a, b) => compare(placeOf(a), placeOf(b)));
      const { lines, next } = cutPage(all.slice(0, size + 1), size, placeOf);
      // The page of another instance may end before this one does.
      const goesOn = next !== null || answers.some(({ nextPageToken }) => nextPageToken !== "");
      const last = lines[lines.length - 1];
      return create(ListBreakersResponseSchema, {
        breakers: [...lines],
        nextPageToken: goesOn && last !== undefined ? tokens.toPageToken(tenantId, query, placeOf(last)) : "",
        silentInstanceCount: silent,
      });
    },

    async resetBreakers(request, { caller }) {
      await toolOverrides.reset(caller, fromTarget(request), request.changeReason);
      return create(ResetBreakersResponseSchema, {});
    },

    async listToolOverrides({ pageSize, pageToken }, { caller }) {
      const query = ["ListToolOverrides"];
      const place = tokens.fromPageToken(caller.tenantId, query, pageToken);
      const rest = toolOverrides
        .list(caller)
        .toSorted((a, b) => compare(placeOfTarget(a), placeOfTarget(b)))
        .filter((override) => place === null || compare(placeOfTarget(override), place) > 0);
      const size = pageSizeOf(pageSize);
      const { lines, next } = cutPage(rest.slice(0, size + 1), size, placeOfTarget);
      return create(ListToolOverridesResponseSchema, {
        overrides: lines.map(toOverride),
        nextPageToken: next === null ? "" : tokens.toPageToken(caller.tenantId, query, next),
      });
    },

    async putToolOverride(request, { caller }) {
      const { breaker = ForcedBreaker.UNSPECIFIED, maxConcurrent = null, maxQueued = null, changeReason } = request;
      const rule = { breaker: fromForced(breaker), maxConcurrent, maxQueued, until: untilOf(request) };
      if (rule.breaker === null && maxConcurrent === null && maxQueued === null)
        refuseField("breaker", "must be OPEN or CLOSED, unless max_concurrent or max_queued is set");
      const override = await toolOverrides.put(caller, fromTarget(request), rule, changeReason);
      return create(PutToolOverrideResponseSchema, { override: toOverride(override) });
    },

    async liftToolOverride(request, { caller }) {
      const wasInForce = await toolOverrides.lift(caller, fromTarget(request), request.changeReason);
      return create(LiftToolOverrideResponseSchema, { wasInForce });
    },
  };
}

function untilOf({ expireTime }: PutToolOverrideRequest): number | null {
  if (expireTime === undefined) return null;
  const until = fromTimestamp(expireTime);
  if (until > Date.now()) return until;
  return refuseField("expire_time", "must be in the future; without it the override stays until it is lifted");
}

function placeOf({ origin, service, flowId, task, instanceId }: Breaker): Place {
  return [origin, service, flowId, task, instanceId];
}

function placeOfTarget({ service, origin, model, flowId, task }: OverrideTarget): Place {
  return [service, origin, flowId, task, model];
}

function compare(a: Place, b: Place): number {
  for (const [index, part] of a.entries()) {
    const [left, right] = [String(part), String(b[index] ?? "")];
    if (left !== right) return left < right ? -1 : 1;
  }
  return 0;
}
