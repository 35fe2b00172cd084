/**
 * ReportTasks with several instances: each report goes to the owner of its run. Those whose owner cannot be reached in
 * time are unavailable, and no others.
 */
import { create } from "@bufbuild/protobuf";
import { isOrchestratorError } from "../../base/errors.ts";
import type { Cluster } from "../../engine/ports/cluster.ts";
import type { Workers } from "../../engine/ports/dispatch/workers.ts";
import { PeerService, TakeReportsRequestSchema } from "../../gen/orchestrator/peer/v1/peer_service_pb.ts";
import { type TaskReport, type TaskReportResult, TaskReportSchema } from "../../gen/orchestrator/v1/worker_pb.ts";
import type { CallContext } from "../calls/call.ts";
import { toConversation } from "../mapping/workers/peer-message.ts";
import { isOver, kindOf, toReportResult } from "../mapping/workers/task-report.ts";
import { anywhere, type Sender, Unreached, WAY_BACK_MS } from "./forward-send.ts";
import { type OwnersWork, PATIENCE_MS, sendToOwners } from "./send-to-owners.ts";
import { sentSizeOf } from "./sent-bytes.ts";

/** How long an owner may take, milliseconds, and at most half of the time that is left: others must not wait for it. */
const OWNER_MS = 10_000;

/** How much of a message the reports of one call may fill. */
const FILLED = 0.9;

const TAKE_REPORTS = anywhere(PeerService.method.takeReports);

/** What became of a report. */
export interface TakenReport {
  readonly result: TaskReportResult;
  /** Another instance owns the run. */
  readonly moved: boolean;
}

/** Takes reports about runs of this instance. */
export type TakeReports = (
  sessionId: string,
  reports: readonly TaskReport[],
  call: CallContext,
) => Promise<readonly TakenReport[]>;

export interface ReportParts {
  readonly cluster: Cluster;
  readonly sender: Sender;
  readonly workers: Workers;
  readonly takeHere: TakeReports;
}

/** A report, and the run that it is about. */
interface Item {
  readonly report: TaskReport;
  readonly runId: string;
}

/** Takes reports, here and at other instances. One result for each, in their order. */
export async function reportTasks(
  parts: ReportParts,
  sessionId: string,
  reports: readonly TaskReport[],
  call: CallContext,
): Promise<readonly TaskReportResult[]> {
  const { cluster, workers, takeHere } = parts;
  if (cluster.view().others.length === 0) return (await takeHere(sessionId, reports, call)).map(({ result }) => result);
  const runs = reports.map((report) => workers.runOf(call.caller, sessionId, report.taskToken));
  const items = reports.flatMap((report, index): Item[] => {
    const runId = runs[index] ?? null;
    return runId === null ? [] : [{ report, runId }];
  });
  const patience = { ms: Math.min(PATIENCE_MS, call.remainingMs() - WAY_BACK_MS), signal: call.signal };
  const sent = await Promise.all(sendToOwners(takingOf(parts, sessionId, call), items, patience));
  let next = 0;
  return runs.map((runId) => (runId === null ? unknown() : (sent[next++] as TakenReport)).result);
}

function takingOf(
  { cluster, sender, workers, takeHere }: ReportParts,
  sessionId: string,
  call: CallContext,
): OwnersWork<Item, TakenReport> {
  return {
    cluster,
    runOf: ({ runId }) => runId,
    here: (items) => takeHere(sessionId, reportsOf(items), call),
    async there(address, items) {
      const reports = reportsOf(items);
      const owner = cluster.view().others.find((other) => other.address === address)?.id ?? "";
      const told = reports.map((report) => ({ token: report.taskToken, kind: kindOf(report) }));
      return workers.forwardReports(call.caller, sessionId, owner, told, async (passed) => {
        const conversation = passed === null ? {} : { conversation: toConversation(passed.named) };
        const lent = BigInt(passed?.lent ?? 0);
        const request = create(TakeReportsRequestSchema, { ...conversation, sessionId, reports: [...reports], lent });
        const endsAt = performance.now() + Math.min(OWNER_MS, call.remainingMs() / 2);
        const sent = { caller: call.caller, requestId: call.requestId, remainingMs: () => endsAt - performance.now() };
        const { results, moved } = await sender.send(address, TAKE_REPORTS, request, sent, call.signal);
        const left = new Set(moved);
        return results.map((result, index) => ({ result, moved: left.has(index), isOver: isOver(result) }));
      });
    },
    sizeOf: ({ report }) => sentSizeOf(TaskReportSchema, report),
    maxSize: FILLED * sender.maxMessageBytes,
    movedTo: ({ moved }, { runId }) => (moved ? runId : null),
    failed(_item, why) {
      if (why === null) return unavailable("the run has no owner at the moment");
      if (why instanceof Unreached) return unavailable("the owner of the run cannot be reached");
      if (!isOrchestratorError(why)) throw why;
      return unavailable(why.message);
    },
  };
}

function reportsOf(items: readonly Item[]): TaskReport[] {
  return items.map(({ report }) => report);
}

function unknown(): TakenReport {
  const message = "the task token is not one of this service";
  return { result: toReportResult({ standing: "unknown", message }), moved: false };
}

/** It may be made again: a report counts once. */
function unavailable(message: string): TakenReport {
  return { result: toReportResult({ standing: "unavailable", message }), moved: true };
}
