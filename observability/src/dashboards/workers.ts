/** Workers, queues, and limits: whether tasks find somebody who does them. */
import type { DashboardPlan } from "./dashboard.ts";
import { figure, graph } from "./panel.ts";
import { inRange, ofDatabase, perSecond, quantile, sumOf, top } from "./query.ts";

const slots = sumOf("orchestrator_queue_slots", { by: "queue", where: 'state="ALL"' });
const free = sumOf("orchestrator_queue_slots", { by: "queue", where: 'state="FREE"' });

export const WORKERS: DashboardPlan = {
  uid: "orchestrator-workers",
  title: "Orchestrator / Workers and queues",
  description: "Whether tasks find somebody who does them: workers, executors, agents, and the limits between.",
  rows: [
    {
      title: "At a glance",
      panels: [
        figure({
          ...{ title: "Workers", unit: "count" },
          description: "Workers that are connected. One that serves two queues counts twice.",
          queries: [{ expr: sumOf("orchestrator_queue_workers"), legend: "workers" }],
        }),
        figure({
          ...{ title: "Tasks that wait", unit: "count" },
          description: "In the queue that has the most of them.",
          queries: [{ expr: ofDatabase("orchestrator_queue_tasks", { where: 'state="WAITING"' }), legend: "waiting" }],
        }),
        figure({
          ...{ title: "Oldest waiting task", unit: "duration", limits: [60, 3600] },
          description: "How long the oldest task has waited for a worker. After an hour an alert fires.",
          queries: [{ expr: ofDatabase("orchestrator_queue_oldest_seconds"), legend: "oldest" }],
        }),
        figure({
          ...{ title: "Tasks nobody can do", unit: "count", limits: [1, 1] },
          description: "Tasks that have waited for 10 s and that no connected worker can do. Normal: none.",
          queries: [{ expr: ofDatabase("orchestrator_queue_unserved_tasks"), legend: "unserved" }],
        }),
        figure({
          ...{ title: "Hand-overs in vain", unit: "count" },
          description: "Tasks that were handed out and came back undone, in the time shown.",
          queries: [{ expr: inRange("orchestrator_handover_returns_total"), legend: "returned" }],
        }),
        figure({
          ...{ title: "Longest wait for a limit", unit: "duration" },
          description: "How long the first task has waited for a slot of its limit.",
          queries: [{ expr: ofDatabase("orchestrator_limit_oldest_seconds"), legend: "oldest" }],
        }),
      ],
    },
    {
      title: "Queues",
      panels: [
        graph({
          ...{ title: "Tasks by state", unit: "count" },
          description:
            "Of the queue that has most: WAITING for a worker, DEFERRED by a full queue, HELD with their run.",
          queries: [{ expr: ofDatabase("orchestrator_queue_tasks", { by: "state" }), legend: "{{state}}" }],
        }),
        graph({
          ...{ title: "Waiting tasks by queue", unit: "count" },
          description: "The ten longest queues.",
          queries: [
            {
              expr: top(ofDatabase("orchestrator_queue_tasks", { by: "queue", where: 'state="WAITING"' })),
              legend: "{{queue}}",
            },
          ],
        }),
        graph({
          ...{ title: "Oldest task by queue", unit: "duration" },
          description: "Grows without end if workers are too few or gone.",
          queries: [
            { expr: top(ofDatabase("orchestrator_queue_oldest_seconds", { by: "queue" })), legend: "{{queue}}" },
          ],
        }),
        graph({
          ...{ title: "Tasks nobody can do, by queue", unit: "count" },
          description: "A worker of the queue is missing, or none of them has the handler.",
          queries: [
            { expr: top(ofDatabase("orchestrator_queue_unserved_tasks", { by: "queue" })), legend: "{{queue}}" },
          ],
        }),
      ],
    },
    {
      title: "Workers",
      panels: [
        graph({
          ...{ title: "Workers by queue", unit: "count" },
          description: "Connected workers of the ten largest queues.",
          queries: [{ expr: top(sumOf("orchestrator_queue_workers", { by: "queue" })), legend: "{{queue}}" }],
        }),
        graph({
          ...{ title: "Slots in use by queue", unit: "part" },
          description: "At 100 % tasks wait for a slot: more workers help.",
          queries: [{ expr: top(`1 - ${free} / (${slots} > 0)`), legend: "{{queue}}" }],
        }),
        graph({
          ...{ title: "Hand-overs by queue", unit: "events" },
          description: "Tasks a second that are handed out to workers.",
          queries: [{ expr: top(perSecond("orchestrator_handovers_total", { by: "queue" })), legend: "{{queue}}" }],
        }),
        graph({
          ...{ title: "Hand-overs in vain, by reason", unit: "events" },
          description: "Tasks that come back undone, because workers leave, refuse, or fall silent.",
          queries: [{ expr: perSecond("orchestrator_handover_returns_total", { by: "reason" }), legend: "{{reason}}" }],
        }),
        graph({
          ...{ title: "Reports of workers", unit: "events" },
          description:
            "What becomes of reports, signs of life included. OUTDATED ones come from workers that were too slow.",
          queries: [{ expr: perSecond("orchestrator_task_reports_total", { by: "outcome" }), legend: "{{outcome}}" }],
        }),
        graph({
          ...{ title: "Tasks for agents", unit: "events" },
          description: "Tasks that are published over Redis, by whether somebody heard them, and what agents answer.",
          queries: [
            { expr: perSecond("orchestrator_agent_requests_total", { by: "result" }), legend: "published, {{result}}" },
            { expr: perSecond("orchestrator_agent_answers_total", { by: "result" }), legend: "answered, {{result}}" },
          ],
        }),
      ],
    },
    {
      title: "Limits",
      panels: [
        graph({
          ...{ title: "Tasks by limit", unit: "count" },
          description: "WAITING for a slot, HELD a slot.",
          queries: [
            {
              expr: top(ofDatabase("orchestrator_limit_tasks", { by: "limit, state" })),
              legend: "{{limit}} {{state}}",
            },
          ],
        }),
        graph({
          ...{ title: "Longest wait by limit", unit: "duration" },
          description: "How long the first task has waited for a slot.",
          queries: [
            { expr: top(ofDatabase("orchestrator_limit_oldest_seconds", { by: "limit" })), legend: "{{limit}}" },
          ],
        }),
        graph({
          ...{ title: "Slots given out", unit: "events" },
          description: "Slots a second, of the ten busiest limits.",
          queries: [{ expr: top(perSecond("orchestrator_limit_grants_total", { by: "limit" })), legend: "{{limit}}" }],
        }),
        graph({
          ...{ title: "Wait for a slot, p95", unit: "seconds" },
          description: "Time that attempts waited for a slot, of the ten slowest limits.",
          queries: [
            { expr: top(quantile(0.95, "orchestrator_limit_wait_seconds", { by: "limit" })), legend: "{{limit}}" },
          ],
        }),
        graph({
          ...{ title: "Paused limits", unit: "count" },
          description: "1 while an operator has paused the limit as a whole.",
          queries: [{ expr: ofDatabase("orchestrator_limit_paused", { by: "limit" }), legend: "{{limit}}" }],
        }),
        graph({
          ...{ title: "Slots that were mended", unit: "events" },
          description:
            "Slots of no open run, or that differed from a journal. Normal: none; each is a bug or a changed row.",
          queries: [
            { expr: perSecond("orchestrator_limit_slots_lost_total"), legend: "lost" },
            { expr: perSecond("orchestrator_limit_slots_repaired_total"), legend: "repaired" },
          ],
        }),
      ],
    },
  ],
};
