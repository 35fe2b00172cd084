/** Runs and tasks: what starts, what ends and how, and what stands still. */
import type { DashboardPlan } from "./dashboard.ts";
import { figure, graph } from "./panel.ts";
import { ofDatabase, perSecond, quantile, quantiles, ratio, sumOf, top } from "./query.ts";

const ended = perSecond("orchestrator_flow_runs_processed_total");
const failed = perSecond("orchestrator_flow_runs_processed_total", { where: 'status=~"FAILED|TIMED_OUT"' });

export const RUNS: DashboardPlan = {
  uid: "orchestrator-runs",
  title: "Orchestrator / Runs and tasks",
  description: "What starts, what ends and how, what is tried again, and what waits for an operator.",
  rows: [
    {
      title: "At a glance",
      panels: [
        figure({
          ...{ title: "Open runs", unit: "count" },
          description: "Runs that have not ended.",
          queries: [{ expr: ofDatabase("orchestrator_active_runs"), legend: "open" }],
        }),
        figure({
          ...{ title: "Starts", unit: "events" },
          description: "Runs that are started in a second.",
          queries: [{ expr: perSecond("orchestrator_runs_started_total"), legend: "started" }],
        }),
        figure({
          ...{ title: "Failing runs", unit: "part", limits: [0.05, 0.25] },
          description: "Part of the runs that end failed or out of time. What is normal depends on the flows.",
          queries: [{ expr: ratio(failed, ended), legend: "failing" }],
        }),
        figure({
          ...{ title: "Most overdue run", unit: "duration", limits: [30, 120], next: "orchestrator-recovery" },
          description: "How long the most overdue run has waited for something that is due. Normal: 0.",
          queries: [{ expr: ofDatabase("orchestrator_overdue_seconds"), legend: "overdue" }],
        }),
        figure({
          ...{ title: "Dead letters", unit: "count", limits: [1, 10] },
          description: "Tasks that failed for good and wait for an operator.",
          queries: [{ expr: ofDatabase("orchestrator_dead_letter_queue_size"), legend: "dead letters" }],
        }),
        figure({
          ...{ title: "Oldest dead letter", unit: "duration", limits: [3600, 86400] },
          description: "How long the oldest dead letter has waited. After a day an alert asks for it.",
          queries: [{ expr: ofDatabase("orchestrator_dead_letter_oldest_seconds"), legend: "oldest" }],
        }),
      ],
    },
    {
      title: "Runs",
      panels: [
        graph({
          ...{ title: "Starts and ends", unit: "events" },
          description: "Normal: as many end as start.",
          queries: [
            { expr: perSecond("orchestrator_runs_started_total"), legend: "started" },
            { expr: perSecond("orchestrator_flow_runs_processed_total", { by: "status" }), legend: "{{status}}" },
          ],
        }),
        graph(
          {
            ...{ title: "Open runs by state", unit: "count" },
            description: "QUARANTINED and SUSPENDED runs wait for an operator, the others for work or time.",
            queries: [{ expr: ofDatabase("orchestrator_open_runs", { by: "state" }), legend: "{{state}}" }],
          },
          { stacked: true },
        ),
        graph({
          ...{ title: "Time of runs", unit: "duration" },
          description: "From start to end, waits included.",
          queries: quantiles("orchestrator_run_execution_seconds"),
        }),
      ],
    },
    {
      title: "Tasks",
      panels: [
        graph({
          ...{ title: "Tasks that begin and end", unit: "events" },
          description: "Tasks a second, and how they end.",
          queries: [
            { expr: perSecond("orchestrator_tasks_scheduled_total"), legend: "begin" },
            { expr: perSecond("orchestrator_tasks_completed_total", { by: "status" }), legend: "{{status}}" },
          ],
        }),
        graph({
          ...{ title: "Active tasks by instance", unit: "count" },
          description: "Tasks that run or wait for a retry, of the runs that each instance owns.",
          queries: [{ expr: sumOf("orchestrator_active_tasks", { by: "instance" }), legend: "{{instance}}" }],
        }),
        graph({
          ...{ title: "Attempts by handler", unit: "events" },
          description: "The ten handlers with the most attempts.",
          queries: [
            {
              expr: top(perSecond("orchestrator_task_execution_seconds_count", { by: "handler" })),
              legend: "{{handler}}",
            },
          ],
        }),
        graph({
          ...{ title: "Time of attempts by handler, p95", unit: "seconds" },
          description: "The ten slowest handlers.",
          queries: [
            {
              expr: top(quantile(0.95, "orchestrator_task_execution_seconds", { by: "handler" })),
              legend: "{{handler}}",
            },
          ],
        }),
        graph({
          ...{ title: "Retries by task", unit: "events" },
          description:
            "The ten tasks with the most attempts that will be tried again. From 0.1 a second on an alert fires.",
          queries: [
            {
              expr: top(perSecond("orchestrator_retry_attempts_total", { by: "task, handler" })),
              legend: "{{task}} {{handler}}",
            },
          ],
        }),
        graph({
          ...{ title: "New dead letters", unit: "events" },
          description: "Tasks that fail for good, by reason.",
          queries: [{ expr: perSecond("orchestrator_dead_letters_total", { by: "reason" }), legend: "{{reason}}" }],
        }),
        graph({
          ...{ title: "Dead letters in the store", unit: "count" },
          description: "Falls when operators send them again or discard them.",
          queries: [{ expr: ofDatabase("orchestrator_dead_letter_queue_size"), legend: "dead letters" }],
        }),
      ],
    },
    {
      title: "Operations, goals, triggers",
      panels: [
        graph({
          ...{ title: "Operations", unit: "events" },
          description: "Operations on many runs that start and end.",
          queries: [
            { expr: perSecond("orchestrator_operations_started_total", { by: "action" }), legend: "{{action}} starts" },
            { expr: perSecond("orchestrator_operations_ended_total", { by: "state" }), legend: "{{state}}" },
          ],
        }),
        graph({
          ...{ title: "Runs that operations process", unit: "events" },
          description: "DONE are as the action wants them, FAILED are unchanged.",
          queries: [{ expr: perSecond("orchestrator_operation_runs_total", { by: "result" }), legend: "{{result}}" }],
        }),
        graph({
          ...{ title: "Open operations", unit: "count" },
          description: "Operations that have not ended.",
          queries: [{ expr: ofDatabase("orchestrator_open_operations"), legend: "open" }],
        }),
        graph({
          ...{ title: "Goals", unit: "events" },
          description: "Goals that enter a status.",
          queries: [{ expr: perSecond("octollm_orchestrator_tasks_total", { by: "status" }), legend: "{{status}}" }],
        }),
        graph({
          ...{ title: "Generated templates", unit: "events" },
          description: "Templates that a model writes, when they enter a status.",
          queries: [{ expr: perSecond("orchestrator_generations_total", { by: "status" }), legend: "{{status}}" }],
        }),
        graph({
          ...{ title: "Events for triggers", unit: "events" },
          description: "What becomes of events that come for triggers. Failed and unsigned ones want a look.",
          queries: [{ expr: perSecond("orchestrator_trigger_events_total", { by: "outcome" }), legend: "{{outcome}}" }],
        }),
      ],
    },
  ],
};
