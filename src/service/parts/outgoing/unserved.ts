/** Messages for places that the configuration does not name. */
import type { Log } from "../../../base/log.ts";
import { keepUnservedMessages } from "../../../bus/unserved-messages.ts";
import type { Config } from "../../../config/settings.ts";
import { createUnservedOutbox } from "../../../store/bus/outbox.ts";
import type { Database } from "../../../store/sql/pool.ts";
import type { RunningEngine } from "../engine.ts";
import type { Parts } from "../parts.ts";
import { sendsAnswers } from "../requests.ts";
import type { Relays } from "./relays.ts";

export interface UnservedNeeds {
  readonly database: Database;
  readonly engine: RunningEngine;
  readonly relays: Relays;
}

/** Looks for them until the parts close. */
export function openUnserved(config: Config, needs: UnservedNeeds, log: Log, parts: Parts): void {
  const { database, engine, relays } = needs;
  const { shards, outboxGates } = engine;
  const loop = keepUnservedMessages({
    outbox: createUnservedOutbox(database, outboxGates.topics !== undefined),
    served: {
      kafka: outboxGates.topics === undefined ? "none" : "all",
      stream: outboxGates.streams === undefined ? "none" : "all",
      redis: sendsAnswers(config) ? "all" : "none",
      webhook: new Set(Object.keys(config.webhooks.endpoints)),
    },
    ...{ shards, log, restored: relays.look },
    waiting: (destination, place, messages) =>
      parts.metrics.gauge("orchestrator_outbox_unserved_messages", destination, place).set(messages),
    rejected: relays.rejected,
  });
  parts.onClose(() => loop.stop());
  engine.observe({ committed: () => {}, takenOver: loop.nudge });
}
