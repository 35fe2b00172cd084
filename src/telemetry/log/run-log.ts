/**
 * The story of runs in the log, from what becomes durable: who is called at night reads here which run ended how, and
 * why.
 *
 *   warn   a run failed or timed out, a task became a dead letter, the service stopped a run (quarantine, budget,
 *   limit)
 *   info   a run started or ended otherwise, an operator, or the pause of a parent, held or released one
 *   debug  an attempt failed and another follows; what a canary does, as long as nothing goes wrong
 *
 * At info a run costs two lines (3 µs together, measured), and no task costs any. Every line names run, flow, version,
 * tenant and, when there is one, correlation and trace. Errors are told by their type: messages may quote what a tool
 * answered, and the run keeps them for those who may read it.
 */

import type { Log, LogFields } from "../../base/log.ts";
import { traceIdOf } from "../../base/traces/run-trace.ts";
import type { JournalRecord, TaskError } from "../../engine/machine/records.ts";
import type { RunState } from "../../engine/machine/state.ts";
import type { RunObserver } from "../../engine/runs/observer.ts";

/** Longest reason of a hold in a line. */
const MAX_REASON_LENGTH = 500;

/** Writes the story of runs; of those of flow `quietFlowId`, at `info` nothing. */
export function createRunLog(log: Log, quietFlowId: string): RunObserver {
  const quiet: Log = { ...log, info: log.debug };
  return {
    committed({ state }, records) {
      for (const record of records) tell(state.flowId === quietFlowId ? quiet : log, state, record);
    },
  };
}

function tell(log: Log, state: RunState, record: JournalRecord): void {
  switch (record.type) {
    case "run.started":
      log.info("run started", fieldsOf(state));
      break;
    case "run.completed":
      log.info("run completed", endOf(state, record.at));
      break;
    case "run.canceled":
      log.info("run canceled", { ...endOf(state, record.at), by: state.cause?.by || undefined });
      break;
    case "run.terminated":
      log.info("run terminated", { ...endOf(state, record.at), by: record.by || undefined });
      break;
    case "run.failed": {
      const { error } = record;
      log.warn("run failed", { ...endOf(state, record.at), task: error.task ?? undefined, errorType: error.type });
      break;
    }
    case "run.timed_out":
      log.warn("run timed out", endOf(state, record.at));
      break;
    case "run.held": {
      const level = record.hold === "operator" || record.hold === "parent" ? "info" : "warn";
      log[level]("run held", holdFields(state, record));
      break;
    }
    case "run.released":
      log.info("run released", holdFields(state, record));
      break;
    case "task.failed":
      if (record.deadLetter !== undefined)
        log.warn("dead letter", { ...taskFields(state, record), reason: record.deadLetter });
      break;
    case "task.retrying":
      log.debug("attempt failed", { ...taskFields(state, record), deferred: record.deferred });
      break;
  }
}

function fieldsOf(state: RunState): LogFields {
  return {
    runId: state.runId,
    flowId: state.flowId,
    version: state.version,
    tenantId: state.tenantId,
    correlationId: state.facts.correlationId || undefined,
    traceId: state.facts.trace?.sampled === undefined ? undefined : traceIdOf(state),
  };
}

function endOf(state: RunState, at: number): LogFields {
  return {
    runId: state.runId,
    flowId: state.flowId,
    version: state.version,
    tenantId: state.tenantId,
    correlationId: state.facts.correlationId || undefined,
    traceId: state.facts.trace?.sampled === undefined ? undefined : traceIdOf(state),
    durationMs: Math.max(0, at - state.createdAt),
  };
}

function holdFields(state: RunState, record: { readonly hold: string; readonly by: string; readonly why: string }) {
  return { ...fieldsOf(state), hold: record.hold, by: record.by || undefined, why: cut(record.why) || undefined };
}

function taskFields(
  state: RunState,
  record: { readonly task: string; readonly error: TaskError; readonly at: number },
): LogFields {
  const task = state.tasks.get(record.task);
  return {
    ...fieldsOf(state),
    task: record.task,
    attempt: task?.attempt,
    durationMs: task === undefined ? undefined : Math.max(0, record.at - task.scheduledAt),
    errorType: record.error.type,
  };
}

function cut(text: string): string {
  return text.length <= MAX_REASON_LENGTH ? text : `${text.slice(0, MAX_REASON_LENGTH).toWellFormed()}…`;
}
