/** Limits as messages of the contract. */
import { create } from "@bufbuild/protobuf";
import type {
  LimitDeclaration as Declaration,
  LimitKeyView,
  LimitSlotView,
  LimitView,
  LimitPause as Pause,
} from "../../../engine/ports/dispatch/limit-control.ts";
import {
  type Limit,
  type LimitDeclaration,
  LimitDeclarationSchema,
  type LimitKey,
  LimitKeySchema,
  type LimitPause,
  LimitPauseSchema,
  LimitSchema,
  type LimitSlot,
  LimitSlotSchema,
} from "../../../gen/orchestrator/v1/limit_pb.ts";
import { LIMIT_SLOT_STATE } from "../enums.ts";
import { toDuration, toTimestamp } from "../time.ts";

export function toLimit(view: LimitView): Limit {
  const { name, tenantId, declaration, pause, pausedKeys } = view;
  return create(LimitSchema, {
    ...{ name, tenantId, pausedKeyCount: pausedKeys, ...toCounts(view) },
    ...(declaration === null ? {} : { declaration: toDeclaration(declaration) }),
    ...(pause === null ? {} : { pause: toPause(pause) }),
  });
}

export function toLimitKey({ key, pause, ...counts }: LimitKeyView): LimitKey {
  return create(LimitKeySchema, {
    ...{ key, ...toCounts(counts) },
    ...(pause === null ? {} : { pause: toPause(pause) }),
  });
}

/** `position`: place in the line; null for those that have a slot. */
export function toLimitSlot(slot: LimitSlotView, position: number | null): LimitSlot {
  const { key, runId, path, state, since, priority } = slot;
  return create(LimitSlotSchema, {
    ...{ key, runId, taskId: path, state: LIMIT_SLOT_STATE[state], sinceTime: toTimestamp(since), priority },
    ...(position === null ? {} : { position }),
  });
}

function toCounts({ waiting, held, oldestAt }: Pick<LimitView, "waiting" | "held" | "oldestAt">) {
  return {
    waitingCount: waiting,
    heldCount: held,
    ...(oldestAt === null ? {} : { oldestTime: toTimestamp(oldestAt) }),
  };
}

function toDeclaration({ maxConcurrent, rate, etag, by, why, at }: Declaration): LimitDeclaration {
  return create(LimitDeclarationSchema, {
    ...(maxConcurrent === null ? {} : { maxConcurrent }),
    ...(rate === null ? {} : { rate: { count: rate.count, per: toDuration(rate.perMs) } }),
    ...{ etag, actor: by, reason: why, updateTime: toTimestamp(at) },
  });
}

function toPause({ by, why, since, until, runId }: Pause): LimitPause {
  return create(LimitPauseSchema, {
    ...{ actor: by, reason: why, sinceTime: toTimestamp(since), runId },
    ...(until === null ? {} : { untilTime: toTimestamp(until) }),
  });
}
