/** Prints messages of the service. */

import { printMessage } from "../../api/http/print.ts";
import { fromTimestamp } from "../../api/mapping/time.ts";
import type { Json, JsonObject } from "../../base/json/json.ts";
import { formatDuration } from "../../base/time/duration.ts";
import { RunEventKindSchema } from "../../gen/orchestrator/v1/run_event_pb.ts";
import {
  DeadLetterReasonSchema,
  type Run,
  RunSchema,
  RunStateSchema,
  type RunSummary,
  type RunTask,
  TaskStateSchema,
  type TaskWait,
} from "../../gen/orchestrator/v1/run_pb.ts";
import { joinShown, type Shown, show, showJson, toStdout } from "./output.ts";
import { paint, type Style } from "./paint.ts";
import { formatTable } from "./table.ts";
import { cut, formatAge } from "./terminal.ts";

export type Moment = NonNullable<Run["createTime"]>;

export function toPrintable(...message: Parameters<typeof printMessage>): JsonObject {
  return JSON.parse(printMessage(...message)) as JsonObject;
}

export function printJson(value: Json): void {
  toStdout`${showJson(value, 2)}\n`;
}

/** Name of an enum value: `COMPLETED`. */
export function nameOf(
  schema: { readonly value: Readonly<Record<number, { readonly localName: string }>> },
  value: number,
): string {
  return schema.value[value]?.localName ?? `STATE_${value}`;
}

/** Name of a kind of event as in the documentation, for example `task.completed`. */
export function eventName(kind: number): string {
  return nameOf(RunEventKindSchema, kind).toLowerCase().replace("_", ".");
}

export function runState(run: Run | RunSummary): string {
  return nameOf(RunStateSchema, run.state);
}

/** TOOK of a run or task: the time from its creation or start to its end; empty until it has ended. */
export function took(start: Moment | undefined, end: Moment | undefined): string {
  if (start === undefined || end === undefined) return "";
  return formatDuration(Math.max(0, fromTimestamp(end) - fromTimestamp(start)));
}

/** A time in the user's time zone; empty if there is none. */
export function formatTime(moment: Moment | undefined): string {
  if (moment === undefined) return "";
  const date = new Date(fromTimestamp(moment));
  const two = (value: number) => String(value).padStart(2, "0");
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

/** Color of a state. */
export function styleOf(state: string): Style {
  switch (state) {
    case "COMPLETED":
      return "green";
    case "FAILED":
    case "TIMED_OUT":
    case "TERMINATED":
    case "QUARANTINED":
      return "red";
    case "RUNNING":
      return "cyan";
    case "RETRYING":
    case "WAITING":
    case "PAUSED":
    case "SUSPENDED":
    case "CANCELING":
    case "COMPENSATING":
      return "yellow";
    default:
      return "dim";
  }
}

export function formatRuns(runs: readonly RunSummary[], now = Date.now()): Shown {
  const rows = runs.map((run) => [
    run.runId,
    `${run.flowId}${run.version === "" ? "" : `@${run.version}`}`,
    runState(run),
    run.createTime === undefined ? "" : formatAge(now - fromTimestamp(run.createTime)),
    took(run.createTime, run.endTime),
    run.runKey,
  ]);
  return formatTable(["RUN", "FLOW", "STATE", "AGE", "TOOK", "KEY"], rows);
}

export function formatTasks(tasks: readonly RunTask[]): Shown {
  const rows = tasks.map((task) => [
    task.taskId,
    cut(task.externalId, 60),
    task.taskType,
    nameOf(TaskStateSchema, task.state),
    task.attempt === 0 ? "" : task.maxAttempts > 1 ? `${task.attempt}/${task.maxAttempts}` : String(task.attempt),
    took(task.startTime, task.endTime),
    task.deadLetter ? nameOf(DeadLetterReasonSchema, task.deadLetterReason) : "",
    task.error === undefined ? "" : cut(`${task.error.type}: ${task.error.message}`, 200),
  ]);
  const headings = ["TASK", "EXTERNAL ID", "TYPE", "STATE", "ATTEMPT", "TOOK", "DEAD LETTER", "ERROR"];
  // Most runs have none of these.
  const left = new Set<string>();
  if (!tasks.some((task) => task.externalId !== "")) left.add("EXTERNAL ID");
  if (!tasks.some((task) => task.deadLetter)) left.add("DEAD LETTER");
  const shown = (cells: readonly string[]) => cells.filter((_, place) => !left.has(headings[place] ?? ""));
  return formatTable(shown(headings), rows.map(shown));
}

/** Details of one run, line by line. */
export function formatRun(run: Run): Shown {
  const state = runState(run);
  const json = toPrintable(RunSchema, run);
  const lines: (readonly [string, string | Shown])[] = [
    ["run", run.runId],
    ["flow", `${run.flowId}${run.version === "" ? "" : `@${run.version}`}`],
    ["state", paint(styleOf(state), state)],
    ["created", formatTime(run.createTime)],
    ["took", took(run.createTime, run.endTime)],
    ["deadline", formatTime(run.endTime === undefined ? run.deadlineTime : undefined)],
    ["in state", run.flowState],
    ["key", run.runKey],
    [
      "labels",
      Object.entries(run.labels)
        .map(([key, value]) => `${key}=${value}`)
        .join(" "),
    ],
    ["parent", run.parentRunId],
    ["held", run.holds.map((hold) => `since ${formatTime(hold.sinceTime)} ${hold.actor} ${hold.reason}`).join("; ")],
    ["cause", run.cause === undefined ? "" : `${run.cause.reason} ${run.cause.actor}`.trim()],
    ["error", run.error === undefined ? "" : paint("red", formatRunError(run.error))],
    ["signals", run.unreadSignals.map(({ signalName, count }) => `${count} × ${signalName}`).join(", ")],
    ["input", json.input === undefined ? "" : showJson(json.input)],
    ["output", json.output === undefined ? "" : showJson(json.output)],
  ];
  return joinShown(
    lines.filter(([, value]) => value !== "").map(([name, value]) => show`${name.padEnd(9)} ${value}\n`),
  );
}

/** Why a run did not complete, on one line. */
export function formatRunError(error: NonNullable<Run["error"]>): string {
  return `${error.taskId === "" ? "" : `${error.taskId}: `}${error.type} ${error.message}`.trim();
}

/** What a task waits for. `now` is used for the remaining time; "" leaves it out. */
export function describeWait(wait: TaskWait | undefined, now: number | ""): string {
  const dueIn = (due: Moment | undefined): string =>
    due === undefined || now === "" ? "" : ` ${formatDuration(Math.max(0, fromTimestamp(due) - now))} left`;
  switch (wait?.kind.case) {
    case "timer":
      return `timer${dueIn(wait.kind.value.dueTime)}`;
    case "signal":
      return `signal ${wait.kind.value.signalNames.join(" or ")}${dueIn(wait.kind.value.dueTime)}`;
    case "approval":
      return `approval ${wait.kind.value.assignees.join(", ")}${dueIn(wait.kind.value.dueTime)}`.trim();
    case "childRun":
      return `run ${wait.kind.value.runId}`;
    default:
      return "";
  }
}
