/** Metrics of runs and tasks, from what becomes durable. */
import type { JournalRecord } from "../../engine/machine/records.ts";
import type { Run } from "../../engine/machine/run.ts";
import type { RunState, TaskStateName } from "../../engine/machine/state.ts";
import type { RunObserver } from "../../engine/runs/observer.ts";
import type { CounterSeries, Metrics } from "./metrics.ts";

/** Who does a task. */
export interface TaskDoer {
  /** The name that executors and workers know the task by; for others, the task type. */
  readonly handler: string;
  /** It is done elsewhere: no call to a tool measures its attempts. */
  readonly isAway: boolean;
}

/** What {@link createRunMetrics} asks of a run. */
export interface RunFacts {
  doerOf(run: Run, path: string): TaskDoer;
  /** What others call the task of the flow for which a path counts. */
  taskOf(run: Run, path: string): string;
  /** A canary has metrics of its own: only a hold of it counts here. */
  isCanary(run: Run): boolean;
  /** A goal begins once somebody does it. */
  isGoal(run: Run): boolean;
}

/** Counts runs and tasks. */
export function createRunMetrics(metrics: Metrics, { doerOf, taskOf, isCanary, isGoal }: RunFacts): RunObserver {
  const startedNow = metrics.counter("orchestrator_runs_started_total", "now");
  const startedLater = metrics.counter("orchestrator_runs_started_total", "later");
  const execution = metrics.histogram("orchestrator_run_execution_seconds");
  const quarantined = metrics.counter("orchestrator_quarantined_runs_total");
  const scheduled = metrics.counter("orchestrator_tasks_scheduled_total");
  const written = metrics.counter("orchestrator_journal_records_total");
  const ended = createSeries((status) => metrics.counter("orchestrator_flow_runs_processed_total", status));
  const done = createSeries((status) => metrics.counter("orchestrator_tasks_completed_total", status));

  const countRetry = (task: string, handler: string): void =>
    metrics.counter("orchestrator_retry_attempts_total", task, handler).add();

  const observeAttempt = (run: Run, { task: path, tookMs, at }: EndRecord): void => {
    const startedAt = run.state.tasks.get(path)?.startedAt ?? 0;
    if (startedAt === 0) return;
    const { handler, isAway } = doerOf(run, path);
    if (!isAway) return;
    const ms = tookMs ?? Math.max(0, at - startedAt);
    metrics.histogram("orchestrator_task_execution_seconds", handler).observe(ms / 1_000);
  };

  const countRecord = (run: Run, record: JournalRecord, sequence: number): void => {
    const { state } = run;
    switch (record.type) {
      case "run.started":
        (isGoal(run) || (record.startAt ?? 0) > record.at ? startedLater : startedNow).add();
        return;
      case "run.completed":
      case "run.failed":
      case "run.canceled":
      case "run.timed_out":
      case "run.terminated":
        ended(RUN_STATUS[record.type]).add();
        execution.observe(Math.max(0, record.at - state.createdAt) / 1_000);
        return;
      case "run.held":
        if (record.hold === "quarantine") quarantined.add();
        return;
      case "task.scheduled":
        if (record.attempt === 1) scheduled.add();
        return;
      case "task.dispatched":
        if (record.to === undefined && isFirst(state, record.task, sequence)) scheduled.add();
        return;
      case "task.waiting":
      case "task.expanded":
        if (isFirst(state, record.task, sequence)) scheduled.add();
        return;
      case "task.retrying":
        if (record.deferred === true) return;
        countRetry(taskOf(run, record.task), doerOf(run, record.task).handler);
        observeAttempt(run, record);
        return;
      case "task.failed":
        // One that failed before it could begin, for instance by an expression, was scheduled too.
        if (isFirst(state, record.task, 0)) scheduled.add();
        done(record.timedOut === true ? "TIMED_OUT" : "FAILED").add();
        observeAttempt(run, record);
        if (record.deadLetter !== undefined)
          metrics.counter("orchestrator_dead_letters_total", record.deadLetter).add();
        return;
      case "task.completed":
        if (isFirst(state, record.task, sequence)) scheduled.add();
        done("COMPLETED").add();
        observeAttempt(run, record);
        return;
      case "task.skipped":
      case "task.canceled":
      case "task.compensated":
        done(TASK_STATUS[record.type]).add();
        return;
      default:
        return;
    }
  };

  return {
    committed(run, records, firstSequence) {
      written.add(records.length);
      const onlyHolds = isCanary(run);
      let sequence = firstSequence;
      for (const record of records) {
        if (!onlyHolds || record.type === "run.held") countRecord(run, record, sequence);
        sequence += 1;
      }
    },
    quarantined(_runId, reason) {
      quarantined.add();
      if (reason !== "UNREADABLE") metrics.counter("orchestrator_runs_blamed_total", reason).add();
    },
  };
}

type EndRecord = Extract<JournalRecord, { readonly type: "task.completed" | "task.retrying" | "task.failed" }>;

const RUN_STATUS = {
  "run.completed": "COMPLETED",
  "run.failed": "FAILED",
  "run.canceled": "CANCELED",
  "run.timed_out": "TIMED_OUT",
  "run.terminated": "TERMINATED",
} as const;

const TASK_STATUS = {
  "task.skipped": "SKIPPED",
  "task.canceled": "CANCELED",
  "task.compensated": "COMPENSATED",
} as const satisfies Record<string, TaskStateName>;

/**
 * True when a task began with this record: it is scheduled once, however many attempts it makes; a pure one begins with
 * its end.
 */
function isFirst(state: RunState, path: string, sequence: number): boolean {
  return state.tasks.get(path)?.dispatchedAtSequence === sequence;
}

function createSeries(make: (status: string) => CounterSeries): (status: string) => CounterSeries {
  const made = new Map<string, CounterSeries>();
  return (status) => {
    let series = made.get(status);
    if (series === undefined) {
      series = make(status);
      made.set(status, series);
    }
    return series;
  };
}
