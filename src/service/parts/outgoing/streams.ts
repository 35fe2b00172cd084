/** Events of flows go to Redis Streams. Nothing is loaded unless the configuration names a server. */
import { invariant } from "../../../base/errors.ts";
import type { Log } from "../../../base/log.ts";
import type { Config } from "../../../config/settings.ts";
import { ALL_PLACES } from "../../../engine/runs/dispatch/outbox-gate.ts";
import { eventOf } from "../../../engine/runs/projections/outbox.ts";
import type { Database } from "../../../store/sql/pool.ts";
import type { RunningEngine } from "../engine.ts";
import type { Parts } from "../parts.ts";
import type { Redis } from "../redis.ts";
import type { Relays } from "./relays.ts";

export interface StreamNeeds {
  readonly database: Database;
  readonly engine: RunningEngine;
  readonly redis: Redis;
  readonly relays: Relays;
}

/** Sends until the parts close. */
export async function openStreams(config: Config, needs: StreamNeeds, log: Log, parts: Parts): Promise<void> {
  const { database, engine, redis, relays } = needs;
  const { connection } = redis;
  if (connection === null) return;
  const [{ createStreamEvents }, { startOutboxRelay }, { keepOutboxLimits }, { createOutbox }] = await Promise.all([
    import("../../../bus/redis/stream-events.ts"),
    import("../../../bus/outbox-relay.ts"),
    import("../../../bus/outbox-limits.ts"),
    import("../../../store/bus/outbox.ts"),
  ]);
  const { channelPrefix: prefix = "", streamMaxLength: maxLength } = config.redis;
  const { maxUnsentMessages: maxMessages, maxUnsentBytes: maxBytes } = config.redis;
  const { shards, outboxGates } = engine;
  const gate = outboxGates.streams?.of(ALL_PLACES);
  invariant(gate !== undefined, "the engine has no gate for streams");
  const outbox = createOutbox(database, "stream", outboxGates.topics !== undefined, relays.listHeld);
  const limits = keepOutboxLimits({ outbox, gate, maxMessages, maxBytes, log });
  parts.onClose(() => limits.stop());
  const stopping = new AbortController();
  const destination = createStreamEvents({ connection, prefix, maxLength, stopping: stopping.signal });
  const relay = startOutboxRelay({
    ...{ outbox, destination, shards, log, listHeld: relays.listHeld },
    delivered: (writtenAt) => relays.delivered("stream", writtenAt),
    rejected: (messages) => relays.rejected("stream", messages),
  });
  parts.onClose(() => relay.stop());
  parts.onClose(() => stopping.abort());
  const look = (): void => {
    relay.nudge();
    limits.nudge();
  };
  engine.observe({
    takenOver: look,
    committed: (run, records) => {
      if (records.some((record) => eventOf(run, record)?.carrier === "streams")) look();
    },
  });
  connection.onReady(() => relay.nudge());
  relays.add(look);
  // Shards that are ours already.
  look();
}
