/** Metrics of queues and workers. */
import type { JournalRecord } from "../../engine/machine/records.ts";
import type { Run } from "../../engine/machine/run.ts";
import type { QueueTotals, WaitingLine } from "../../engine/ports/dispatch/queues.ts";
import type { WorkerView } from "../../engine/ports/dispatch/workers.ts";
import type { RunObserver } from "../../engine/runs/observer.ts";
import type { Metrics } from "./metrics.ts";
import { createPassingGauges } from "./passing-gauges.ts";

/** Most queues of workers that have a gauge. */
const MAX_QUEUES = 200;

/** What the gauges show. */
export interface QueueGauges {
  /** Of the whole database; none at instances that leave it to another. */
  readonly totals: readonly QueueTotals[];
  /** Lines that no worker serves. */
  readonly unserved: readonly WaitingLine[];
  /** Workers that are connected here. */
  readonly workers: readonly WorkerView[];
}

/** Queue of the task at a path of a run. */
export type QueueOf = (run: Run, path: string) => string;

function isInLine({ state }: Run, path: string): boolean {
  const slot = state.tasks.get(path)?.limitSlot?.state;
  return slot === "waiting" || slot === "withdrawn";
}

/** Counts hand-overs. */
export function createHandOverMetrics(metrics: Metrics, queueOf: QueueOf): RunObserver {
  const count = (run: Run, record: JournalRecord): void => {
    if (record.type === "task.dispatched" && record.to !== undefined)
      metrics.counter("orchestrator_handovers_total", queueOf(run, record.task)).add();
    // What was in the line of a limit was handed out to nobody.
    else if (record.type === "task.returned" && !isInLine(run, record.task))
      metrics.counter("orchestrator_handover_returns_total", queueOf(run, record.task), record.reason).add();
  };
  return {
    committed(run, records) {
      for (const record of records) count(run, record);
    },
  };
}

/** Sets the gauges at each reading. A queue that is not there any more is 0. */
export function createQueueGauges(metrics: Metrics): (gauges: QueueGauges) => void {
  const show = createPassingGauges(metrics);
  return ({ totals, unserved, workers }) => {
    show((add) => {
      for (const { queue, waiting, deferred, held, ageMs } of totals) {
        add("orchestrator_queue_tasks", waiting, queue, "WAITING");
        add("orchestrator_queue_tasks", deferred, queue, "DEFERRED");
        add("orchestrator_queue_tasks", held, queue, "HELD");
        add("orchestrator_queue_oldest_seconds", ageMs / 1_000, queue);
      }
      for (const { queue, count } of unserved) add("orchestrator_queue_unserved_tasks", count, queue);
      const served = new Set<string>();
      for (const { queues, slots, free } of workers)
        for (const queue of queues) {
          if (served.size >= MAX_QUEUES && !served.has(queue)) continue;
          served.add(queue);
          add("orchestrator_queue_workers", 1, queue);
          add("orchestrator_queue_slots", slots, queue, "ALL");
          add("orchestrator_queue_slots", free, queue, "FREE");
        }
    });
  };
}
