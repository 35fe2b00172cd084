/**
 * ReportTasks with several instances: each report goes to the owner of its run, one call for each owner. Reports of
 * runs that have moved follow them, for at most three seconds. Those whose owner cannot be reached by then are
 * unavailable, and no others.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { create } from "@bufbuild/protobuf";
import { isOrchestratorError } from "../../base/errors.ts";
import type { Cluster, Place } from "../../engine/ports/cluster.ts";
import type { Workers } from "../../engine/ports/dispatch/workers.ts";
import { PeerService, TakeReportsRequestSchema } from "../../gen/orchestrator/peer/v1/peer_service_pb.ts";
import type { TaskReport, TaskReportResult } from "../../gen/orchestrator/v1/worker_pb.ts";
import type { CallContext } from "../calls/call.ts";
import { toConversation } from "../mapping/workers/peer-message.ts";
import { isOver, kindOf, toReportResult } from "../mapping/workers/task-report.ts";
import { anywhere, type Sender, Unreached, WAY_BACK_MS } from "./forward-send.ts";

/** How long to look for the owner of a run, and the pause between attempts, milliseconds. */
const PATIENCE_MS = 3_000;
const PAUSE_MS = 50;

/** How long an owner may take, milliseconds, and at most half of the time that is left: others must not wait for it. */
const OWNER_MS = 10_000;

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

/** A report and what became of it so far. */
interface Item {
  readonly report: TaskReport;
  readonly runId: string;
  taken: TakenReport | null;
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
  const items = reports.map((report): Item => {
    const runId = workers.runOf(call.caller, sessionId, report.taskToken);
    return { report, runId: runId ?? "", taken: runId === null ? unknown() : null };
  });
  const giveUpAt = performance.now() + Math.min(PATIENCE_MS, call.remainingMs() - WAY_BACK_MS);
  let unreachable: string | undefined;
  for (let isFirst = true; ; isFirst = false) {
    const groups = await groupByPlace(cluster, items.filter(isOpen), isFirst, unreachable);
    const failed = await Promise.all([...groups].map(([place, of]) => take(parts, place, sessionId, of, call)));
    unreachable = failed.find((address) => address !== null) ?? undefined;
    if (performance.now() + PAUSE_MS >= giveUpAt || !items.some(isOpen)) break;
    await sleep(PAUSE_MS, undefined, { signal: call.signal });
  }
  return items.map(({ taken }) => (taken ?? unavailable("the run has no owner at the moment")).result);
}

function isOpen({ taken }: Item): boolean {
  return taken === null || taken.moved;
}

function unknown(): TakenReport {
  const message = "the task token is not one of this service";
  return { result: toReportResult({ standing: "unknown", message }), moved: false };
}

/** It may be made again: a report counts once. */
function unavailable(message: string): TakenReport {
  return { result: toReportResult({ standing: "unavailable", message }), moved: true };
}

/** By `here` or the address of the owner. Those that have none at the moment are left out. */
async function groupByPlace(
  cluster: Cluster,
  items: readonly Item[],
  isFirst: boolean,
  unreachable: string | undefined,
): Promise<ReadonlyMap<string, readonly Item[]>> {
  const groups = new Map<string, Item[]>();
  const places = new Map<string, Promise<Place | null>>();
  for (const item of items) {
    const { runId } = item;
    let place = isFirst ? cluster.ownerOf(runId) : null;
    if (place === null) {
      const located = places.get(runId) ?? cluster.locate(runId, unreachable);
      places.set(runId, located);
      place = await located;
    }
    if (place === null) continue;
    const key = place === "here" ? place : place.address;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [item]);
    else group.push(item);
  }
  return groups;
}

/** Takes reports at one place. Resolves with its address when nothing answers there. */
async function take(
  { cluster, sender, workers, takeHere }: ReportParts,
  place: string,
  sessionId: string,
  items: readonly Item[],
  call: CallContext,
): Promise<string | null> {
  const reports = items.map(({ report }) => report);
  const set = (all: readonly TakenReport[]): void => {
    for (const [index, item] of items.entries()) item.taken = all[index] ?? unavailable("the owner did not answer");
  };
  try {
    if (place === "here") {
      set(await takeHere(sessionId, reports, call));
      return null;
    }
    const owner = cluster.view().others.find(({ address }) => address === place)?.id ?? "";
    const told = reports.map((report) => ({ token: report.taskToken, kind: kindOf(report) }));
    set(
      await workers.forwardReports(call.caller, sessionId, owner, told, async (passed) => {
        const conversation = passed === null ? {} : { conversation: toConversation(passed.named) };
        const lent = BigInt(passed?.lent ?? 0);
        const request = create(TakeReportsRequestSchema, { ...conversation, sessionId, reports: [...reports], lent });
        const endsAt = performance.now() + Math.min(OWNER_MS, call.remainingMs() / 2);
        const sent = { caller: call.caller, requestId: call.requestId, remainingMs: () => endsAt - performance.now() };
        const { results, moved } = await sender.send(place, TAKE_REPORTS, request, sent, call.signal);
        const left = new Set(moved);
        return results.map((result, index) => ({ result, moved: left.has(index), isOver: isOver(result) }));
      }),
    );
    return null;
  } catch (error) {
    if (!(error instanceof Unreached || isOrchestratorError(error))) throw error;
    const message = error instanceof Unreached ? "the owner of the run cannot be reached" : error.message;
    set(items.map(() => unavailable(message)));
    return error instanceof Unreached ? error.address : null;
  }
}
