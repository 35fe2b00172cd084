/** What goes to Kafka: the outbox, its limits, and what can never be sent. */
import { invariant } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import { type ConnectionOptions, openSender } from "../../bus/kafka/sender.ts";
import { keepOutboxLimits } from "../../bus/outbox-limits.ts";
import { startOutboxRelay } from "../../bus/outbox-relay.ts";
import { failRejectedTasks } from "../../bus/rejected-tasks.ts";
import type { Config } from "../../config/settings.ts";
import { DEAD_LETTER_TOPIC } from "../../engine/ports/bus/outbox.ts";
import { sendsMessage } from "../../engine/runs/projections/outbox.ts";
import { createOutbox, createRejectedTasks } from "../../store/bus/outbox.ts";
import { DEFAULT_TOPIC } from "../../tasks/queue.ts";
import type { KafkaNeeds } from "./kafka.ts";
import type { Parts } from "./parts.ts";

export interface KafkaOutgoingNeeds extends Pick<KafkaNeeds, "database" | "engine"> {
  readonly connection: ConnectionOptions;
}

/** What goes to Kafka. */
export interface KafkaOutgoing {
  /** A message was written that comes from no run. */
  written(): void;
}

/** Sends until the parts close. */
export function openKafkaOutgoing(
  { kafka }: Config,
  { database, engine, connection }: KafkaOutgoingNeeds,
  log: Log,
  parts: Parts,
): KafkaOutgoing {
  const { topicPrefix = "", createTopics, maxUnsentMessages: maxMessages, maxUnsentBytes: maxBytes } = kafka;
  const { shards, outboxGate: gate, handOvers } = engine;
  invariant(gate !== null, "the engine has no gate for the outbox");
  const sender = openSender(connection, {
    nameOf: (topic) => (topic === DEFAULT_TOPIC || topic === DEAD_LETTER_TOPIC ? topicPrefix + topic : topic),
    createTopics,
  });
  parts.onClose(() => sender.close());
  const rejections = failRejectedTasks({ rejected: createRejectedTasks(database), handOvers, shards, log });
  parts.onClose(() => rejections.stop());
  const outbox = createOutbox(database, "kafka");
  const limits = keepOutboxLimits({ outbox, gate, maxMessages, maxBytes, log });
  parts.onClose(() => limits.stop());
  const relay = startOutboxRelay({ outbox, destination: sender, rejected: rejections.nudge, shards, log });
  parts.onClose(() => relay.stop());
  const look = (): void => {
    relay.nudge();
    rejections.nudge();
    limits.nudge();
  };
  engine.observe({
    fenced: () => {},
    takenOver: look,
    committed: (run, records) => {
      if (!records.some((record) => sendsMessage(run, record))) return;
      relay.nudge();
      limits.nudge();
    },
  });
  // Shards that are ours already.
  look();
  return { written: relay.nudge };
}
