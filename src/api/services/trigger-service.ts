/** TriggerService: declares and shows triggers, and takes webhooks. */
import { create } from "@bufbuild/protobuf";
import { fail } from "../../base/errors.ts";
import {
  type AppliedEvent,
  type KnownTrigger,
  TRIGGER_OUTCOMES,
  type TriggerEvents,
  type Triggers,
} from "../../engine/ports/bus/triggers.ts";
import type { SharedClock } from "../../engine/ports/shared-clock.ts";
import {
  DeleteTriggerResponseSchema,
  EventDisposition,
  GetTriggerResponseSchema,
  ListTriggerEventsResponseSchema,
  ListTriggersResponseSchema,
  PauseTriggerResponseSchema,
  PutTriggerResponseSchema,
  ReceiveEventResponseSchema,
  ResumeTriggerResponseSchema,
  TriggerService,
} from "../../gen/orchestrator/v1/trigger_service_pb.ts";
import type { CallContext, ServiceHandlers } from "../calls/call.ts";
import { type Origin, originOf } from "../calls/hops.ts";
import { defineService } from "../calls/services.ts";
import { cutPage, pageSizeOf } from "../lists/paging.ts";
import type { Tokens } from "../lists/tokens.ts";
import { TRIGGER_OUTCOME } from "../mapping/enums.ts";
import { toTimestamp } from "../mapping/time.ts";
import { toTrigger, toTriggerEvent } from "../mapping/triggers/trigger.ts";
import { isSigned } from "../triggers/signatures.ts";
import { toWebhookEvent } from "../triggers/webhook-event.ts";

/** When the sender of a webhook that cannot be taken now may try again, milliseconds. */
const AGAIN_MS = 60_000;

interface Needs {
  readonly triggers: Triggers;
  readonly triggerEvents: TriggerEvents;
  /** The secrets behind references. Errors: SECRET_NOT_FOUND. */
  readonly secrets: { resolve(reference: string): Promise<string> };
  readonly sharedClock: SharedClock;
  readonly tokens: Tokens;
}

function createHandlers({
  triggers,
  triggerEvents,
  secrets,
  sharedClock,
  tokens,
}: Needs): ServiceHandlers<typeof TriggerService> {
  /** An event that a loop sends again shows among the others. Error: ROUTING_LOOP. */
  const countedOriginOf = (trigger: KnownTrigger, eventId: string, call: CallContext): Origin => {
    try {
      return originOf(call);
    } catch (error) {
      triggerEvents.count(trigger, "failed", eventId, error instanceof Error ? error.message : String(error));
      throw error;
    }
  };

  return {
    async putTrigger({ source, etag }, { caller }) {
      const { trigger, created } = await triggers.putTrigger(caller, source, etag);
      return create(PutTriggerResponseSchema, { trigger: toTrigger(trigger, true), created });
    },

    async getTrigger({ triggerId }, { caller }) {
      return create(GetTriggerResponseSchema, {
        trigger: toTrigger(await triggers.getTrigger(caller, triggerId), true),
      });
    },

    async listTriggers({ flowId, pageSize, pageToken }, { caller }) {
      const query = ["ListTriggers", flowId];
      const place = tokens.fromPageToken(caller.tenantId, query, pageToken);
      const size = pageSizeOf(pageSize);
      const found = await triggers.listTriggers(caller, flowId, place === null ? "" : String(place[0]), size + 1);
      const { lines, next } = cutPage(found, size, ({ triggerId }) => triggerId);
      return create(ListTriggersResponseSchema, {
        triggers: lines.map((trigger) => toTrigger(trigger, false)),
        nextPageToken: next === null ? "" : tokens.toPageToken(caller.tenantId, query, [next]),
      });
    },

    async listTriggerEvents({ triggerId, outcome, pageSize, pageToken }, { caller }) {
      const query = ["ListTriggerEvents", triggerId, String(outcome)];
      const place = tokens.fromPageToken(caller.tenantId, query, pageToken);
      const before = place === null ? null : String(place[0]);
      const size = pageSizeOf(pageSize);
      const wanted = TRIGGER_OUTCOMES.find((name) => TRIGGER_OUTCOME[name] === outcome) ?? null;
      const found = await triggers.listEvents(caller, triggerId, wanted, before, size + 1);
      const { lines, next } = cutPage(found, size, ({ id }) => id);
      return create(ListTriggerEventsResponseSchema, {
        events: lines.map(toTriggerEvent),
        nextPageToken: next === null ? "" : tokens.toPageToken(caller.tenantId, query, [next]),
      });
    },

    async deleteTrigger({ triggerId, etag }, { caller }) {
      const deletedAt = await triggers.deleteTrigger(caller, triggerId, etag);
      return create(DeleteTriggerResponseSchema, { triggerId, deleteTime: toTimestamp(deletedAt) });
    },

    async pauseTrigger({ triggerId, reason }, { caller }) {
      const trigger = await triggers.pauseTrigger(caller, triggerId, reason);
      return create(PauseTriggerResponseSchema, { trigger: toTrigger(trigger, true) });
    },

    async resumeTrigger({ triggerId, reason }, { caller }) {
      const trigger = await triggers.resumeTrigger(caller, triggerId, reason);
      return create(ResumeTriggerResponseSchema, { trigger: toTrigger(trigger, true) });
    },

    async receiveEvent({ triggerId, body, headers }, call) {
      const trigger = triggerEvents.find(call.caller.tenantId, triggerId);
      const { source } = trigger?.compiled?.document ?? {};
      if (trigger === undefined || source?.type !== "webhook") return fail("TRIGGER_NOT_FOUND", { triggerId });
      const { scheme } = source;
      const now = sharedClock.now();
      const webhook = { body, headers };
      const values = await Promise.all((source.secrets ?? []).map((reference) => secrets.resolve(reference))).catch(
        (error: unknown) => {
          triggerEvents.count(trigger, "failed", "", error instanceof Error ? error.message : String(error));
          return fail("TRIGGER_NOT_READY", {}, { retryAfterMs: AGAIN_MS });
        },
      );
      // A secret may be several, separated by space.
      const keys = values.flatMap((value) => value.split(/\s+/)).filter((key) => key !== "");
      if (scheme !== "none" && !isSigned(scheme, webhook, keys, now)) {
        triggerEvents.count(trigger, "unsigned", "", "");
        return fail("SIGNATURE_INVALID");
      }
      const event = toWebhookEvent(scheme, webhook, now);
      const applied = await triggerEvents.apply(trigger, { ...event, ...countedOriginOf(trigger, event.id, call) });
      if (applied.outcome === "paused") return fail("TRIGGER_NOT_READY", {}, { retryAfterMs: AGAIN_MS });
      return toAnswer(applied);
    },
  };
}

function toAnswer({ outcome, runId }: AppliedEvent) {
  if (outcome === "failed") return fail("EVENT_FAILED");
  const { APPLIED, IGNORED } = EventDisposition;
  const isApplied = outcome === "accepted" || outcome === "duplicate";
  return create(ReceiveEventResponseSchema, isApplied ? { disposition: APPLIED, runId } : { disposition: IGNORED });
}

/** TriggerService with its handlers. */
export const triggerService = defineService(TriggerService, createHandlers);
