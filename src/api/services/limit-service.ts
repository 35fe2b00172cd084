/** LimitService: what is declared of limits, who holds their slots and who waits, and what is paused. */
import { create } from "@bufbuild/protobuf";
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { fail } from "../../base/errors.ts";
import { refuseField } from "../../base/field-error.ts";
import type {
  LimitChange,
  LimitControl,
  LimitSlotView,
  LimitView,
  SlotPlace,
  SlotQuery,
} from "../../engine/ports/dispatch/limit-control.ts";
import { LimitSlotState } from "../../gen/orchestrator/v1/limit_pb.ts";
import {
  DeleteLimitResponseSchema,
  GetLimitResponseSchema,
  LimitService,
  ListLimitKeysResponseSchema,
  ListLimitSlotsResponseSchema,
  ListLimitsResponseSchema,
  PauseLimitResponseSchema,
  type PutLimitRequest,
  PutLimitResponseSchema,
  ResumeLimitResponseSchema,
} from "../../gen/orchestrator/v1/limit_service_pb.ts";
import type { CallContext, ServiceHandlers } from "../calls/call.ts";
import { defineService } from "../calls/services.ts";
import { cutPage, pageSizeOf } from "../lists/paging.ts";
import type { Place, Tokens } from "../lists/tokens.ts";
import { toLimit, toLimitKey, toLimitSlot } from "../mapping/limits/limit.ts";
import { fromDuration, fromTimestamp } from "../mapping/time.ts";

/** Keys that are shown of a limit. */
const MAX_BUSIEST = 10;

/** Flow versions that are shown of a limit. */
const MAX_USES = 20;

interface Needs {
  readonly limitControl: LimitControl;
  readonly tokens: Tokens;
}

function createHandlers({ limitControl, tokens }: Needs): ServiceHandlers<typeof LimitService> {
  const view = async ({ caller }: CallContext, name: string): Promise<LimitView> => {
    const [found] = await limitControl.viewLimits(caller, [name]);
    return found ?? fail("LIMIT_NOT_FOUND", { limit: name });
  };
  const change = async (name: string, call: CallContext, wanted: LimitChange) => {
    await limitControl.change(call.caller, name, wanted);
    return { limit: toLimit(await view(call, name)) };
  };
  return {
    async listLimits({ pageSize, pageToken }, { caller }) {
      const query = ["ListLimits"];
      const place = tokens.fromPageToken(caller.tenantId, query, pageToken);
      const size = pageSizeOf(pageSize);
      const names = await limitControl.listNames(caller, place === null ? "" : String(place[0]), size + 1);
      const { lines, next } = cutPage(names, size, (name) => name);
      return create(ListLimitsResponseSchema, {
        limits: (await limitControl.viewLimits(caller, lines)).map(toLimit),
        nextPageToken: next === null ? "" : tokens.toPageToken(caller.tenantId, query, [next]),
      });
    },

    async getLimit({ name }, call) {
      const { caller } = call;
      const [limit, busiest, uses] = await Promise.all([
        view(call, name),
        limitControl.listBusiest(caller, name, MAX_BUSIEST),
        limitControl.listUses(caller, name, MAX_USES),
      ]);
      if (!isKnown(limit) && uses.length === 0) return fail("LIMIT_NOT_FOUND", { limit: name });
      return create(GetLimitResponseSchema, {
        limit: toLimit(limit),
        busiestKeys: busiest.map(toLimitKey),
        uses: uses.map((use) => ({ ...use })),
      });
    },

    async listLimitKeys({ name, pageSize, pageToken }, { caller }) {
      const query = ["ListLimitKeys", name];
      const place = tokens.fromPageToken(caller.tenantId, query, pageToken);
      const size = pageSizeOf(pageSize);
      const keys = await limitControl.listKeys(caller, name, place === null ? null : String(place[0]), size + 1);
      const { lines, next } = cutPage(keys, size, ({ key }) => key);
      return create(ListLimitKeysResponseSchema, {
        keys: lines.map(toLimitKey),
        nextPageToken: next === null ? "" : tokens.toPageToken(caller.tenantId, query, [next]),
      });
    },

    async listLimitSlots({ name, key, state, pageSize, pageToken }, { caller }) {
      const query = ["ListLimitSlots", name, JSON.stringify(key ?? null), String(state)];
      const place = tokens.fromPageToken(caller.tenantId, query, pageToken);
      const size = pageSizeOf(pageSize);
      const parts = PARTS[state] ?? [];
      const after = fromPlace(place);
      const lines: SlotLine[] = [];
      for (let part = after?.part ?? 0; part < parts.length && lines.length <= size; part += 1) {
        const wanted: SlotQuery = { name, key: key ?? null, state: parts[part] as SlotQuery["state"] };
        const from = after?.part === part ? after : null;
        const slots = await limitControl.listSlots(caller, wanted, from?.slot ?? null, size + 1 - lines.length);
        lines.push(...inLine(slots, part, from));
      }
      const page = cutPage(lines, size, toPlace);
      return create(ListLimitSlotsResponseSchema, {
        slots: page.lines.map(({ slot, position }) => toLimitSlot(slot, slot.state === "waiting" ? position : null)),
        nextPageToken: page.next === null ? "" : tokens.toPageToken(caller.tenantId, query, page.next),
      });
    },

    async putLimit(request, call) {
      return create(PutLimitResponseSchema, await change(request.name, call, toPut(request)));
    },

    async pauseLimit({ name, key = null, untilTime, reason }, call) {
      const until = toUntil(untilTime);
      return create(PauseLimitResponseSchema, await change(name, call, { type: "pause", why: reason, key, until }));
    },

    async resumeLimit({ name, key = null, reason }, call) {
      return create(ResumeLimitResponseSchema, await change(name, call, { type: "resume", why: reason, key }));
    },

    async deleteLimit({ name, force, etag, reason }, { caller }) {
      const wasDeclared = await limitControl.change(caller, name, { type: "delete", why: reason, etag, force });
      return create(DeleteLimitResponseSchema, { wasDeclared });
    },
  };
}

/** The parts of the list, one after the other. */
const PARTS: Readonly<Record<LimitSlotState, readonly SlotQuery["state"][]>> = {
  [LimitSlotState.UNSPECIFIED]: ["held", "waiting"],
  [LimitSlotState.WAITING]: ["waiting"],
  [LimitSlotState.GRANTED]: ["granted"],
  [LimitSlotState.TAKEN]: ["taken"],
};

/** A slot with its part of the list, and its place among those of its key. */
interface SlotLine<S extends SlotPlace = LimitSlotView> {
  readonly slot: S;
  readonly part: number;
  readonly position: number;
}

/** Counts on from the last line of the page before. */
function inLine(slots: readonly LimitSlotView[], part: number, after: SlotLine<SlotPlace> | null): readonly SlotLine[] {
  let key = after?.slot.key;
  let position = after?.position ?? 0;
  return slots.map((slot) => {
    position = slot.key === key ? position + 1 : 1;
    key = slot.key;
    return { slot, part, position };
  });
}

function toPlace({ slot: { key, priority, readyAt, runId, path }, part, position }: SlotLine): Place {
  return [part, position, key, priority, readyAt, runId, path];
}

function fromPlace(place: Place | null): SlotLine<SlotPlace> | null {
  if (place === null) return null;
  const [part, position, key, priority, readyAt, runId, path] = place;
  return {
    part: Number(part),
    position: Number(position),
    slot: {
      ...{ key: String(key), priority: Number(priority), readyAt: Number(readyAt) },
      ...{ runId: String(runId), path: String(path) },
    },
  };
}

function isKnown({ declaration, pause, pausedKeys, waiting, held }: LimitView): boolean {
  return declaration !== null || pause !== null || pausedKeys + waiting + held > 0;
}

function toPut({ maxConcurrent, rate, reason, etag }: PutLimitRequest): LimitChange {
  return {
    type: "put",
    why: reason,
    etag,
    maxConcurrent: maxConcurrent ?? null,
    rate: rate?.per === undefined ? null : { count: rate.count, perMs: fromDuration(rate.per) },
  };
}

function toUntil(untilTime: Timestamp | undefined): number | null {
  if (untilTime === undefined) return null;
  const until = fromTimestamp(untilTime);
  return until > Date.now()
    ? until
    : refuseField("until_time", "must be in the future; without it the pause has no end");
}

/** LimitService with its handlers. */
export const limitService = defineService(LimitService, createHandlers);
