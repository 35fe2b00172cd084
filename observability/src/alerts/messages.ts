/** What leaves and what comes in: outbox, Kafka, Redis, webhooks, goals. */
import { type AlertGroup, JOB, MINUTE } from "../rule.ts";

const ONE = '{job="orchestrator",instance="a"}';
const connected = (to: string): string => `orchestrator_connected{job="orchestrator",instance="a",to="${to}"}`;

export const MESSAGES: AlertGroup = {
  name: "orchestrator-messages",
  alerts: (time) => [
    {
      ...{ name: "OutboxStalled", severity: "page", for: time(2 * MINUTE), keepFiringFor: time(5 * MINUTE) },
      expr: `max(orchestrator_outbox_oldest_seconds{${JOB}}) > ${time.seconds(300)}`,
      summary: "Messages do not leave.",
      description:
        "The oldest message in the outbox has waited for more than five minutes: for topics, streams, or webhooks.",
      impact: "Executors get no tasks, and others no events. Everything is kept and leaves when its receiver is back.",
      dashboard: "orchestrator-events",
      fires: { series: { [`orchestrator_outbox_oldest_seconds${ONE}`]: "0+60x20" }, after: "10m" },
      silent: [{ series: { [`orchestrator_outbox_oldest_seconds${ONE}`]: "280x20" }, after: "10m" }],
    },
    {
      ...{ name: "OutboxFull", severity: "ticket", for: time(MINUTE) },
      expr: `max by (carrier, place) (orchestrator_outbox_full{${JOB}}) > 0`,
      summary: "The outbox for {{ $labels.place }} is full.",
      description: "So many messages for {{ $labels.place }} wait that tasks and events for it wait too.",
      impact: "Runs with such tasks stand still until messages leave.",
      dashboard: "orchestrator-events",
      fires: {
        series: { 'orchestrator_outbox_full{job="orchestrator",instance="a",carrier="topics",place="main"}': "1x10" },
        after: "5m",
        labels: { carrier: "topics", place: "main" },
      },
      silent: [
        {
          series: { 'orchestrator_outbox_full{job="orchestrator",instance="a",carrier="topics",place="main"}': "0x10" },
          after: "5m",
        },
      ],
    },
    {
      ...{ name: "MessagesUndelivered", severity: "ticket", for: time(5 * MINUTE) },
      expr: `max(orchestrator_undelivered_messages{${JOB}}) > 0`,
      summary: "Messages were given up.",
      description: "Receivers refused messages for good, or for too long. They are kept for operators.",
      impact: "Their receivers do not know what happened until somebody sends them again.",
      dashboard: "orchestrator-events",
      fires: { series: { [`orchestrator_undelivered_messages${ONE}`]: "1x20" }, after: "10m" },
      silent: [{ series: { [`orchestrator_undelivered_messages${ONE}`]: "0x20" }, after: "10m" }],
    },
    {
      ...{ name: "KafkaUnavailable", severity: "ticket", for: time(2 * MINUTE), keepFiringFor: time(2 * MINUTE) },
      expr: `min(orchestrator_connected{${JOB},to="kafka"}) == 0`,
      summary: "An instance does not reach Kafka.",
      description: "At least one instance gets no answer from Kafka.",
      impact: "Tasks for executors and events wait in the outbox; messages that come in wait in their topics.",
      dashboard: "orchestrator-dependencies",
      fires: { series: { [connected("kafka")]: "0x10" }, after: "5m" },
      silent: [{ series: { [connected("kafka")]: "1x10" }, after: "5m" }],
    },
    {
      ...{ name: "RedisUnavailable", severity: "ticket", for: time(2 * MINUTE), keepFiringFor: time(2 * MINUTE) },
      expr: `min(orchestrator_connected{${JOB},to="redis"}) == 0`,
      summary: "An instance does not reach Redis.",
      description: "At least one instance gets no answer from Redis.",
      impact: "Keys with states of runs get old, and agents over Redis get no tasks. Nothing else changes.",
      dashboard: "orchestrator-dependencies",
      fires: { series: { [connected("redis")]: "0x10" }, after: "5m" },
      silent: [{ series: { [connected("redis")]: "1x10" }, after: "5m" }],
    },
    {
      ...{ name: "GateDown", severity: "page", for: time(3 * MINUTE), keepFiringFor: time(2 * MINUTE) },
      expr: `min(orchestrator_connected{${JOB},to="reflex"}) == 0`,
      summary: "Reflex does not answer.",
      description: "At least one instance gets no verdicts from Reflex.",
      impact:
        "Goals are refused with 503, and calls of which the policy asks Reflex are deferred. Nothing passes unchecked.",
      dashboard: "orchestrator-dependencies",
      fires: { series: { [connected("reflex")]: "0x10" }, after: "5m" },
      silent: [{ series: { [connected("reflex")]: "1x10" }, after: "5m" }],
    },
    {
      ...{ name: "GoalTablesStale", severity: "ticket", for: time(10 * MINUTE) },
      expr: `min_over_time(max(orchestrator_unshown_goals{${JOB}})[${time(10 * MINUTE)}:${time(MINUTE)}]) > 0`,
      summary: "The tables of goals are not up to date.",
      description:
        "Goals have changed, and the tables `tasks` and `task_results` have not shown it for ten minutes: they are locked, or refuse a row.",
      impact: "Readers of these tables see old statuses. The API answers as ever.",
      dashboard: "orchestrator-dependencies",
      fires: { series: { [`orchestrator_unshown_goals${ONE}`]: "2x40" }, after: "25m" },
      silent: [{ series: { [`orchestrator_unshown_goals${ONE}`]: "0 2x8 0 2x8 0 2x8 0 2x8" }, after: "25m" }],
    },
    {
      ...{ name: "MessagesReadAgain", severity: "info", for: "0s" },
      expr: `sum by (topic) (increase(orchestrator_kafka_jumps_total{${JOB}}[${time(15 * MINUTE)}])) > 0`,
      summary: "The position in the topic {{ $labels.topic }} had to be moved.",
      description: "Messages of {{ $labels.topic }} were lost by the broker, or came again.",
      impact: "Messages that came again change nothing. Lost ones have to be sent again by their senders.",
      dashboard: "orchestrator-events",
      fires: {
        series: { 'orchestrator_kafka_jumps_total{job="orchestrator",instance="a",topic="flow_runs"}': "0x5 1x20" },
        after: "10m",
        labels: { topic: "flow_runs" },
      },
      silent: [
        {
          series: { 'orchestrator_kafka_jumps_total{job="orchestrator",instance="a",topic="flow_runs"}': "1x30" },
          after: "20m",
        },
      ],
    },
  ],
};
