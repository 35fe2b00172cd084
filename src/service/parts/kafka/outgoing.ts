/** What goes to Kafka: the outbox, its limits, and what can never be sent. */
import { invariant } from "../../../base/errors.ts";
import type { Log } from "../../../base/log.ts";
import { type ConnectionOptions, openSender } from "../../../bus/kafka/sender.ts";
import { keepOutboxLimits } from "../../../bus/outbox-limits.ts";
import { startOutboxRelay } from "../../../bus/outbox-relay.ts";
import { failRejectedTasks } from "../../../bus/rejected-tasks.ts";
import type { Config } from "../../../config/settings.ts";
import { DEAD_LETTER_TOPIC, TASK_CONTROL_TOPIC } from "../../../engine/ports/bus/outbox.ts";
import { ALL_PLACES } from "../../../engine/runs/dispatch/outbox-gate.ts";
import { sendsMessage } from "../../../engine/runs/projections/outbox.ts";
import { sendsControl } from "../../../engine/runs/projections/task-controls.ts";
import { createOutbox, createRejectedTasks } from "../../../store/bus/outbox.ts";
import { DEFAULT_TOPIC } from "../../../tasks/queue.ts";
import type { Parts } from "../parts.ts";
import type { KafkaNeeds } from "./kafka.ts";

/** Topics whose names begin with the configured prefix. */
const OWN_TOPICS: ReadonlySet<string> = new Set([DEFAULT_TOPIC, DEAD_LETTER_TOPIC, TASK_CONTROL_TOPIC]);

export interface KafkaOutgoingNeeds extends Pick<KafkaNeeds, "database" | "engine" | "relays"> {
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
  { database, engine, connection, relays }: KafkaOutgoingNeeds,
  log: Log,
  parts: Parts,
): KafkaOutgoing {
  const {
    topicPrefix = "",
    taskControl,
    createTopics,
    maxUnsentMessages: maxMessages,
    maxUnsentBytes: maxBytes,
  } = kafka;
  const { shards, outboxGates, handOvers } = engine;
  const gate = outboxGates.topics?.of(ALL_PLACES);
  invariant(gate !== undefined, "the engine has no gate for topics");
  const sender = openSender(connection, {
    nameOf: (topic) => (OWN_TOPICS.has(topic) ? topicPrefix + topic : topic),
    createTopics,
  });
  parts.onClose(() => sender.close());
  const rejections = failRejectedTasks({ rejected: createRejectedTasks(database), handOvers, shards, log });
  parts.onClose(() => rejections.stop());
  const outbox = createOutbox(database, "kafka", true, relays.listHeld);
  const limits = keepOutboxLimits({ outbox, gate, maxMessages, maxBytes, log });
  parts.onClose(() => limits.stop());
  const relay = startOutboxRelay({
    ...{ outbox, destination: sender, shards, log, listHeld: relays.listHeld },
    delivered: (writtenAt) => relays.delivered("kafka", writtenAt),
    rejected: (messages) => relays.rejected("kafka", messages),
  });
  parts.onClose(() => relay.stop());
  const look = (): void => {
    relay.nudge();
    rejections.nudge();
    limits.nudge();
  };
  engine.observe({
    takenOver: look,
    committed: (run, records) => {
      if (!records.some((record) => sendsMessage(run, record) || (taskControl && sendsControl(run, record)))) return;
      relay.nudge();
      limits.nudge();
    },
  });
  relays.add(look);
  // Shards that are ours already.
  look();
  return { written: relay.nudge };
}
