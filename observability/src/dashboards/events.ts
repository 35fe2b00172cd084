/** What leaves by the outbox, and what comes in. */
import type { DashboardPlan } from "./dashboard.ts";
import { figure, graph } from "./panel.ts";
import { inRange, maxOf, ofDatabase, perSecond, quantile, top } from "./query.ts";

export const EVENTS: DashboardPlan = {
  uid: "orchestrator-events",
  title: "Orchestrator / Events and messages",
  description: "What leaves by the outbox for topics, streams, and webhooks, and what comes in from Kafka and Redis.",
  rows: [
    {
      title: "At a glance",
      panels: [
        figure({
          ...{ title: "Oldest message", unit: "duration", limits: [30, 300] },
          description: "How long the oldest message has waited to leave. After five minutes an alert fires.",
          queries: [{ expr: ofDatabase("orchestrator_outbox_oldest_seconds"), legend: "oldest" }],
        }),
        figure({
          ...{ title: "Messages that wait", unit: "count" },
          description: "For the place that has the most of them.",
          queries: [{ expr: ofDatabase("orchestrator_outbox_messages"), legend: "messages" }],
        }),
        figure({
          ...{ title: "Outbox full", unit: "count", limits: [1, 1] },
          description: "1 while so many messages wait that tasks and events wait too. Normal: 0.",
          queries: [{ expr: maxOf("orchestrator_outbox_full"), legend: "full" }],
        }),
        figure({
          ...{ title: "Messages given up", unit: "count", limits: [1, 10] },
          description: "Messages that are not tried any more and wait for an operator.",
          queries: [{ expr: ofDatabase("orchestrator_undelivered_messages"), legend: "given up" }],
        }),
        figure({
          ...{ title: "Messages for nowhere", unit: "count", limits: [1, 1] },
          description: "Messages for a place that the configuration does not name, such as topics without Kafka.",
          queries: [{ expr: ofDatabase("orchestrator_outbox_unserved_messages"), legend: "unserved" }],
        }),
        figure({
          ...{ title: "Positions moved", unit: "count", limits: [1, 10] },
          description: "Times in the time shown that messages of a topic were lost or came again.",
          queries: [{ expr: inRange("orchestrator_kafka_jumps_total"), legend: "jumps" }],
        }),
      ],
    },
    {
      title: "Outbox",
      panels: [
        graph({
          ...{ title: "Messages by place", unit: "count" },
          description: "Messages that wait to be sent.",
          queries: [
            {
              expr: top(ofDatabase("orchestrator_outbox_messages", { by: "carrier, place" })),
              legend: "{{carrier}} {{place}}",
            },
          ],
        }),
        graph({
          ...{ title: "Bytes by place", unit: "bytes" },
          description: "Bytes of the messages that wait to be sent.",
          queries: [
            {
              expr: top(ofDatabase("orchestrator_outbox_bytes", { by: "carrier, place" })),
              legend: "{{carrier}} {{place}}",
            },
          ],
        }),
        graph({
          ...{ title: "Age of the oldest message", unit: "duration", limits: [30, 300] },
          description: "Grows steadily while a receiver is away.",
          queries: [{ expr: ofDatabase("orchestrator_outbox_oldest_seconds"), legend: "oldest" }],
        }),
        graph({
          ...{ title: "Delay of messages, p99", unit: "seconds", limits: [1, 5], next: "orchestrator-slo" },
          description:
            "From the commit that sends a message to when its receiver has it, by way. The objective allows 5 s, except for webhooks.",
          queries: [
            {
              expr: quantile(0.99, "orchestrator_outbox_delivery_seconds", { by: "destination" }),
              legend: "{{destination}}",
            },
          ],
        }),
        graph({
          ...{ title: "Messages that arrive", unit: "events" },
          description: "Messages that their receivers have, by way.",
          queries: [
            {
              expr: perSecond("orchestrator_outbox_delivery_seconds_count", { by: "destination" }),
              legend: "{{destination}}",
            },
          ],
        }),
        graph({
          ...{ title: "Messages given up, by reason", unit: "events" },
          description:
            "REFUSED and EXPIRED ones are the receiver's doing, INVALID and UNSERVED ones the configuration's.",
          queries: [
            {
              expr: perSecond("orchestrator_outbox_rejected_total", { by: "destination, reason" }),
              legend: "{{destination}} {{reason}}",
            },
          ],
        }),
        graph({
          ...{ title: "Messages dropped", unit: "events" },
          description: "Answers of executions over Redis that fell out because too many waited.",
          queries: [
            { expr: perSecond("orchestrator_outbox_dropped_total", { by: "destination" }), legend: "{{destination}}" },
          ],
        }),
        graph({
          ...{ title: "Messages for nowhere, by place", unit: "count" },
          description: "Messages that wait for a place that the configuration does not name.",
          queries: [
            {
              expr: ofDatabase("orchestrator_outbox_unserved_messages", { by: "destination, place" }),
              legend: "{{destination}} {{place}}",
            },
          ],
        }),
      ],
    },
    {
      title: "Webhooks",
      panels: [
        graph({
          ...{ title: "Deliveries", unit: "requests" },
          description: "Requests to endpoints: failed ones are tried again, rejected ones never.",
          queries: [
            {
              expr: top(perSecond("orchestrator_webhook_deliveries_total", { by: "endpoint, result" })),
              legend: "{{endpoint}} {{result}}",
            },
          ],
        }),
        graph({
          ...{ title: "Time of deliveries, p95", unit: "seconds" },
          description: "The ten slowest endpoints.",
          queries: [
            {
              expr: top(quantile(0.95, "orchestrator_webhook_delivery_seconds", { by: "endpoint" })),
              legend: "{{endpoint}}",
            },
          ],
        }),
      ],
    },
    {
      title: "What comes in",
      panels: [
        graph({
          ...{ title: "Positions moved, by topic", unit: "events" },
          description: "Messages of a topic were lost or came again. Normal: none.",
          queries: [{ expr: perSecond("orchestrator_kafka_jumps_total", { by: "topic" }), legend: "{{topic}}" }],
        }),
        graph({
          ...{ title: "Answers that changed nothing", unit: "events" },
          description: "Answers of executors over Kafka that came late, twice, or for another attempt.",
          queries: [
            { expr: perSecond("orchestrator_kafka_ignored_answers_total", { by: "reason" }), legend: "{{reason}}" },
          ],
        }),
        graph({
          ...{ title: "Messages of Redis", unit: "events" },
          description: "Messages of channels and streams, by what became of them.",
          queries: [
            {
              expr: perSecond("orchestrator_redis_messages_total", { by: "source, what" }),
              legend: "{{source}} {{what}}",
            },
          ],
        }),
        graph({
          ...{ title: "Events for triggers", unit: "events" },
          description: "The ten triggers with the most events.",
          queries: [
            { expr: top(perSecond("orchestrator_trigger_events_total", { by: "trigger" })), legend: "{{trigger}}" },
          ],
        }),
      ],
    },
  ],
};
