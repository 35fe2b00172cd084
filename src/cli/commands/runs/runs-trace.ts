/** `orchestrator runs trace`: the trace of a run from its journal, whether it was exported or not. */
import { EVENT_KIND } from "../../../api/mapping/enums.ts";
import { fromTimestamp } from "../../../api/mapping/time.ts";
import type { JsonObject } from "../../../base/json/json.ts";
import { type TraceFacts, traceIdOf } from "../../../base/traces/run-trace.ts";
import type { JournalRecord } from "../../../engine/machine/records.ts";
import { createState } from "../../../engine/machine/state.ts";
import type { RunEvent } from "../../../gen/orchestrator/v1/run_event_pb.ts";
import type { Run } from "../../../gen/orchestrator/v1/run_pb.ts";
import { RunService } from "../../../gen/orchestrator/v1/run_service_pb.ts";
import { RunSpans } from "../../../telemetry/traces/run-spans.ts";
import type { Leaf } from "../../command-context.ts";
import { CompletedArgument } from "../../completion/completed.ts";
import { type ConnectOptions, type OutputOptions, withClient } from "../../connection/connect.ts";
import { readPages } from "../../input/read-pages.ts";
import { toStderr, toStdout } from "../../terminal/output.ts";
import { printJson } from "../../terminal/print.ts";
import { formatTrace, toTraceJson } from "../../terminal/trace-tree.ts";

const TYPE_OF = new Map(Object.entries(EVENT_KIND).map(([type, kind]) => [kind as number, type]));

export function defineTrace(leaf: Leaf): void {
  leaf("trace", "print the trace of a run, from its journal")
    .addArgument(new CompletedArgument("<run>", "id of the run", "run"))
    .action((runId: string, options: ConnectOptions & OutputOptions) =>
      withClient(options, async (client) => {
        const { run } = await client.call(RunService.method.getRun, { runId });
        if (run === undefined) return;
        const events = await readPages(Number.POSITIVE_INFINITY, async (pageToken, pageSize) => {
          const page = await client.call(RunService.method.listRunEvents, { runId, pageToken, pageSize });
          return { lines: page.events, next: page.nextPageToken };
        });
        const { traced, trace, spans } = traceOf(run, events);
        const traceId = traceIdOf(traced);
        if (options.output === "json") return printJson(toTraceJson(traceId, trace?.sampled ?? null, spans));
        toStdout`${formatTrace(spans)}`;
        if (trace?.sampled === undefined)
          toStderr`the run was not traced when it started: no service knows this trace\n`;
        else toStderr`trace ${traceId}${trace.sampled ? "" : ", not sampled"}\n`;
      }),
    );
}

function traceOf(run: Run, events: readonly RunEvent[]) {
  const [first] = events;
  const createdAt = first?.eventTime === undefined ? 0 : fromTimestamp(first.eventTime);
  const trace = factsOf(first?.attributes ?? {});
  const state = createState(run.runId);
  const parent = run.parentRunId === "" ? null : { runId: run.parentRunId, task: "", closePolicy: "cancel" as const };
  const traced = {
    ...state,
    ...{ createdAt, flowId: run.flowId, version: run.version },
    facts: { ...state.facts, correlationId: run.correlationId, parent, ...(trace === undefined ? {} : { trace }) },
  };
  const types = new Map(
    events.flatMap(({ taskId, detail }) =>
      detail.case === "taskTransition" ? [[taskId, detail.value.taskType] as const] : [],
    ),
  );
  const fold = new RunSpans(traced, (path) => types.get(path) ?? "", null, Number.POSITIVE_INFINITY);
  const spans = events.flatMap((event) => [...fold.add(toRecord(event))]);
  const isOver = spans.some((span) => span.parent === null);
  return { traced, trace, spans: isOver ? spans : [...spans, ...fold.unended(Date.now())] };
}

/** As much of a record as spans are made of. */
function toRecord({ kind, eventTime, taskId, attempt, detail, attributes }: RunEvent): JournalRecord {
  const { worker_session_id: to, ...others } = (attributes ?? {}) as JsonObject;
  return {
    ...others,
    ...(to === undefined ? {} : { to }),
    ...(detail.case === "taskTransition" || detail.case === "runTransition" ? { error: detail.value.error } : {}),
    ...(detail.case === "taskTransition" ? { wait: { kind: waitOf(detail.value.wait?.kind.case) } } : {}),
    ...(detail.case === "holdChange" ? { hold: String(detail.value.hold?.kind ?? "") } : {}),
    ...(detail.case === "signalChange" ? { name: detail.value.signalName } : {}),
    attempt,
    ...{ type: TYPE_OF.get(kind) ?? "", task: taskId },
    at: eventTime === undefined ? 0 : fromTimestamp(eventTime),
  } as unknown as JournalRecord;
}

function waitOf(kind: string | undefined): string {
  return kind === "childRun" ? "run" : (kind ?? "");
}

function factsOf({ trace_sampled: sampled, traceparent: caller }: JsonObject): TraceFacts | undefined {
  if (typeof sampled !== "boolean") return undefined;
  return typeof caller === "string" ? { sampled, caller } : { sampled };
}
