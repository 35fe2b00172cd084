/** Reports that break a rule of their fields. Each is refused alone: a worker reports for many tasks in one call. */
import { create } from "@bufbuild/protobuf";
import { type TaskReport, TaskReportSchema } from "../../gen/orchestrator/v1/worker_pb.ts";
import { compileItemCheck } from "../calls/item-check.ts";

const check = compileItemCheck(TaskReportSchema);

/** What can be taken of a report. */
export interface CheckedReport {
  /** Null: nothing. */
  readonly report: TaskReport | null;
  /** Which rule it breaks; empty: none. */
  readonly problem: string;
}

/** Checks a report. A result that breaks a rule becomes a failure with that problem: the task must not wait forever. */
export function checkReport(report: TaskReport): CheckedReport {
  // A token that breaks a rule is unknown, like others that are not ours.
  const problem = check({ ...report, taskToken: "any" }, "")?.message ?? "";
  if (problem === "") return { report, problem };
  const { taskToken, event } = report;
  if (event.case !== "succeeded" && event.case !== "failed") return { report: null, problem };
  const nonRetryable = event.case === "succeeded" || event.value.nonRetryable;
  const value = { type: "WORKER_RESULT_INVALID", message: problem, nonRetryable };
  return { report: create(TaskReportSchema, { taskToken, event: { case: "failed", value } }), problem };
}
