/** Triggers as the contract shows them. */
import { create } from "@bufbuild/protobuf";
import type { ListedEvent, TriggerPause, TriggerView } from "../../../engine/ports/bus/triggers.ts";
import type { TriggerSource } from "../../../flows/triggers/trigger-document.ts";
import {
  type Trigger,
  TriggerAction,
  TriggerCountSchema,
  type TriggerEvent,
  TriggerEventSchema,
  TriggerPauseSchema,
  TriggerSchema,
  TriggerSourceSchema,
} from "../../../gen/orchestrator/v1/trigger_pb.ts";
import { TRIGGER_OUTCOME, TRIGGER_SOURCE_KIND } from "../enums.ts";
import { toTimestamp } from "../time.ts";

export function toTrigger(view: TriggerView, withDefinition: boolean): Trigger {
  const { tenantId, triggerId, flowId, revision, pause, createdAt, updatedAt, document, problem, counts } = view;
  const trigger = create(TriggerSchema, {
    ...{ triggerId, tenantId, flowId, problem },
    definition: withDefinition ? view.definition : "",
    etag: String(revision),
    createTime: toTimestamp(createdAt),
    updateTime: toTimestamp(updatedAt),
    counts: counts
      .map(({ outcome, count, lastAt, lastEventId, lastRunId, lastProblem }) =>
        create(TriggerCountSchema, {
          ...{ outcome: TRIGGER_OUTCOME[outcome], count: BigInt(count), lastTime: toTimestamp(lastAt) },
          ...{ lastEventId, lastRunId, lastProblem },
        }),
      )
      .sort((a, b) => a.outcome - b.outcome),
  });
  if (pause !== null) trigger.pause = toPause(pause);
  if (document !== null) {
    const { source } = document;
    trigger.source = create(TriggerSourceSchema, { kind: TRIGGER_SOURCE_KIND[source.type], name: nameOf(source) });
    trigger.action = document.start === undefined ? TriggerAction.SIGNAL : TriggerAction.START;
  }
  return trigger;
}

export function toTriggerEvent({ outcome, at, eventId, runId, problem }: ListedEvent): TriggerEvent {
  return create(TriggerEventSchema, {
    ...{ eventId, runId, problem },
    outcome: TRIGGER_OUTCOME[outcome],
    receiveTime: toTimestamp(at),
  });
}

function toPause({ by, why, since }: TriggerPause) {
  return create(TriggerPauseSchema, { actor: by, reason: why, sinceTime: toTimestamp(since) });
}

function nameOf(source: TriggerSource): string {
  switch (source.type) {
    case "webhook":
      return source.scheme;
    case "kafka":
      return source.topic;
    case "redis":
      return source.stream;
  }
}
