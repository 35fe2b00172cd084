/** Converts breakers and their overrides to messages of the contract, and targets from them. */
import { create } from "@bufbuild/protobuf";
import type {
  BreakerView,
  ForcedBreaker as ForcedBreakerName,
  ToolOverride as Override,
  OverrideTarget,
} from "../../../engine/ports/routing/tool-overrides.ts";
import {
  type Breaker,
  BreakerSchema,
  BreakerState,
  ForcedBreaker,
  type ToolOverride,
  ToolOverrideSchema,
} from "../../../gen/orchestrator/v1/breaker_pb.ts";
import { toTimestamp } from "../time.ts";

const STATE = {
  CLOSED: BreakerState.CLOSED,
  OPEN: BreakerState.OPEN,
  HALF_OPEN: BreakerState.HALF_OPEN,
} as const satisfies Record<BreakerView["state"], BreakerState>;

const FORCED = {
  open: ForcedBreaker.OPEN,
  closed: ForcedBreaker.CLOSED,
} as const satisfies Record<ForcedBreakerName, ForcedBreaker>;

/** What a request makes of a breaker; null: nothing. */
export function fromForced(forced: ForcedBreaker): ForcedBreakerName | null {
  if (forced === ForcedBreaker.OPEN) return "open";
  return forced === ForcedBreaker.CLOSED ? "closed" : null;
}

export function toBreaker(view: BreakerView, instanceId: string): Breaker {
  const { origin, service, flowId, task, state, forced, reopensAt, maxConcurrent, maxQueued } = view;
  return create(BreakerSchema, {
    ...{ origin, service, flowId, task, state: STATE[state], maxConcurrent, maxQueued, instanceId },
    ...(forced === null ? {} : { forced: FORCED[forced] }),
    ...(reopensAt === null ? {} : { reopenTime: toTimestamp(reopensAt) }),
    ...{ failureCount: view.failuresInRow, runningCount: view.running, queuedCount: view.queued },
  });
}

export function toOverride(override: Override): ToolOverride {
  const { service, origin, model, flowId, task, breaker, maxConcurrent, maxQueued, until, since, by, why } = override;
  return create(ToolOverrideSchema, {
    ...{ service, origin, model, flowId, task, actor: by, changeReason: why, updateTime: toTimestamp(since) },
    ...(breaker === null ? {} : { breaker: FORCED[breaker] }),
    ...(maxConcurrent === null ? {} : { maxConcurrent }),
    ...(maxQueued === null ? {} : { maxQueued }),
    ...(until === null ? {} : { expireTime: toTimestamp(until) }),
  });
}

/** The target of a request. An origin is compared as URLs are: without the usual port, in small letters. */
export function fromTarget({
  service,
  origin,
  model = "",
  flowId,
  task,
}: Omit<OverrideTarget, "model"> & Partial<OverrideTarget>): OverrideTarget {
  return { service, origin: URL.parse(origin)?.origin ?? origin, model, flowId, task };
}
