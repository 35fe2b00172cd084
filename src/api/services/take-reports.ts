/** Reports about tasks of runs of this instance. Those about one task are taken in order. */
import type { Workers } from "../../engine/ports/dispatch/workers.ts";
import type { TaskReport } from "../../gen/orchestrator/v1/worker_pb.ts";
import type { PayloadLimits } from "../mapping/payload.ts";
import { fromTaskReport, toReportResult } from "../mapping/workers/task-report.ts";
import type { TakenReport, TakeReports } from "../peers/report-tasks.ts";
import { type PayloadReader, readReferences } from "./stored-payloads.ts";

export interface TakeReportsNeeds {
  readonly workers: Workers;
  readonly runReader: PayloadReader;
  readonly limits: PayloadLimits;
}

export function createTakeReports({ workers, runReader, limits }: TakeReportsNeeds): TakeReports {
  return (sessionId, reports, { caller }) => {
    const take = async (report: TaskReport): Promise<TakenReport> => {
      const told = await fromTaskReport(report, (payloads) => readReferences(runReader, caller, payloads), limits);
      const { problem } = told;
      if (told.report === null)
        return { result: toReportResult({ standing: "refused", message: problem }), moved: false };
      const result = await workers.report(caller, sessionId, report.taskToken, told.report);
      const isRefused = problem !== "" && result.standing === "accepted";
      return {
        result: toReportResult(isRefused ? { standing: "refused", message: problem } : result),
        moved: result.moved === true,
      };
    };
    /** The last report of each task. */
    const before = new Map<string, Promise<unknown>>();
    const results = reports.map((report) => {
      const earlier = before.get(report.taskToken);
      const result = earlier === undefined ? take(report) : earlier.then(() => take(report));
      before.set(report.taskToken, result);
      return result;
    });
    return Promise.all(results);
  };
}
