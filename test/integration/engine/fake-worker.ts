/** A worker in the process of the test, behind the port of workers. */
import { onTestFinished } from "vitest";
import type { Json } from "../../../src/base/json/json.ts";
import type { HandedTask } from "../../../src/engine/ports/dispatch/hand-overs.ts";
import type {
  ReportResult,
  WorkerMessage,
  WorkerReport,
  WorkerStop,
} from "../../../src/engine/ports/dispatch/workers.ts";
import { CALLER, type Instance } from "./bed.ts";

/** A task that the worker has. */
export interface Taken {
  readonly token: string;
  readonly task: HandedTask;
}

/** A worker. */
export interface FakeWorker {
  readonly sessionId: string;
  /** Everything that it was handed, in order. */
  readonly taken: readonly Taken[];
  readonly canceled: readonly string[];
  /** Who drains it, as often as it was told. */
  readonly drains: readonly WorkerStop[];
  report(token: string, report: WorkerReport): Promise<ReportResult>;
  complete(token: string, output?: Json): Promise<ReportResult>;
  /** Its stream breaks. */
  disconnect(): void;
}

/** Connects a worker. `onTask` is called with each task it gets. */
export function connectWorker(
  home: Instance,
  {
    slots = 10,
    queues = ["default"],
    handlers = ["work"] as readonly string[],
    name = "w",
    labels = {} as Readonly<Record<string, string>>,
    buildId = "",
  } = {},
  onTask: (worker: FakeWorker, taken: Taken) => void = () => {},
  others: readonly Instance[] = [],
): FakeWorker {
  const { workers } = home;
  const { sessionId } = workers.register(CALLER, { name, sdk: "test", queues, handlers, slots, labels, buildId });
  const stop = new AbortController();
  const taken: Taken[] = [];
  const canceled: string[] = [];
  const drains: WorkerStop[] = [];
  const report = (token: string, told: WorkerReport) => reportAt(home, others, sessionId, token, told);
  const worker: FakeWorker = {
    sessionId,
    taken,
    canceled,
    drains,
    report,
    complete: (token, output = null) => report(token, { type: "ended", outcome: { ok: true, output } }),
    disconnect: () => stop.abort(),
  };
  const read = async (messages: AsyncIterable<WorkerMessage>): Promise<void> => {
    for await (const message of messages) {
      if (message.type === "cancel") canceled.push(message.token);
      else if (message.type === "drain") drains.push(message.stop);
      else {
        taken.push(message);
        onTask(worker, message);
      }
    }
  };
  void read(workers.poll(CALLER, sessionId, stop.signal));
  onTestFinished(() => stop.abort());
  return worker;
}

/** Reports to the owner of the run, as the API does it. */
async function reportAt(
  home: Instance,
  others: readonly Instance[],
  sessionId: string,
  token: string,
  told: WorkerReport,
): Promise<ReportResult> {
  const runId = home.workers.runOf(CALLER, sessionId, token) ?? "";
  const owner = others.find(({ runtime: { shards } }) => shards.epochOf(shards.shardOf(runId)) !== undefined);
  if (owner === undefined) return home.workers.report(CALLER, sessionId, token, told);
  const [result] = await home.workers.forwardReports(
    CALLER,
    sessionId,
    owner.id,
    [{ token, kind: told.type }],
    async (passed) => {
      if (passed !== null) owner.peerDispatch.noteSession(passed.named, CALLER.tenantId, sessionId, passed.lent);
      const taken = await owner.workers.report(CALLER, sessionId, token, told);
      return [{ ...taken, isOver: taken.standing === "outdated" || taken.standing === "unknown" }];
    },
  );
  return result ?? { standing: "unknown", message: "" };
}
