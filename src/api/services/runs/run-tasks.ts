/** RunService: ends tasks whose work is done elsewhere. */
import { create } from "@bufbuild/protobuf";
import { fail } from "../../../base/errors.ts";
import type { Outcome } from "../../../engine/machine/events.ts";
import { pathOf } from "../../../engine/machine/external-ids.ts";
import type { Caller } from "../../../engine/ports/caller.ts";
import type { RunControl } from "../../../engine/ports/run-control.ts";
import type { RunReader } from "../../../engine/ports/run-reader.ts";
import { type RunTask, RunTaskSchema } from "../../../gen/orchestrator/v1/run_pb.ts";
import {
  CompleteTaskResponseSchema,
  FailTaskResponseSchema,
  type RunService,
} from "../../../gen/orchestrator/v1/run_service_pb.ts";
import type { ServiceHandlers } from "../../calls/call.ts";
import { toRequestKey } from "../../calls/request-key.ts";
import { createPayloadRoom, fromPayload, type PayloadLimits } from "../../mapping/payload.ts";
import { parseReadMask } from "../../mapping/read-mask.ts";
import { findTask, toRunTask } from "../../mapping/task.ts";
import { fromDuration } from "../../mapping/time.ts";
import { fromDetails } from "../../mapping/workers/error-details.ts";
import { readReferences } from "../stored-payloads.ts";
import type { PlanIndexOf } from "./plan-index-of.ts";

/** Methods of RunService that end tasks. */
export type TaskMethods = Pick<ServiceHandlers<typeof RunService>, "completeTask" | "failTask">;

export interface TaskNeeds {
  readonly runControl: RunControl;
  readonly runReader: RunReader;
  readonly planIndexOf: PlanIndexOf;
  readonly limits: PayloadLimits;
}

const PAYLOADS = ["input", "input_json", "input_ref", "output", "output_json", "output_ref"];

export function createRunTasks({ runControl, runReader, planIndexOf, limits }: TaskNeeds): TaskMethods {
  /** What the flow of the run calls the task. */
  const pathIn = async (caller: Caller, runId: string, taskId: string): Promise<string> => {
    const index = await planIndexOf(caller, (await runReader.getRun(caller, runId)).state);
    return index === null ? taskId : pathOf(index.run.plan, taskId);
  };
  const tell = async (
    caller: Caller,
    method: "CompleteTask" | "FailTask",
    { runId, taskId, reason, requestId }: Named,
    outcome: Outcome,
  ): Promise<RunTask> => {
    const key = toRequestKey(method, requestId, { taskId, reason, ...hashed(outcome) });
    const path = await pathIn(caller, runId, taskId);
    const { state } = await runControl.tellTask(caller, runId, path, outcome, reason, key);
    const view = findTask(state, await planIndexOf(caller, state), taskId);
    if (view === null) fail("RUN_TASK_NOT_FOUND", { runId, taskId });
    return toRunTask(runId, view, parseReadMask(RunTaskSchema, undefined, PAYLOADS), createPayloadRoom(limits));
  };
  return {
    async completeTask(request, { caller }) {
      const stored = await readReferences(runReader, caller, [request.outputValue]);
      const output = fromPayload(request.outputValue, "output", null, limits, stored);
      const task = await tell(caller, "CompleteTask", request, { ok: true, output });
      return create(CompleteTaskResponseSchema, { task });
    },

    async failTask(request, { caller }) {
      const { errorType: type, errorMessage: message, nonRetryable, nextRetryDelay, errorDetails } = request;
      const delay = nextRetryDelay === undefined ? {} : { nextRetryDelayMs: fromDuration(nextRetryDelay) };
      const error = { type, message, retryable: !nonRetryable, ...delay, ...fromDetails(errorDetails) };
      const task = await tell(caller, "FailTask", request, { ok: false, error });
      return create(FailTaskResponseSchema, { task });
    },
  };
}

interface Named {
  readonly runId: string;
  readonly taskId: string;
  readonly reason: string;
  readonly requestId: string;
}

function hashed(outcome: Outcome) {
  return outcome.ok ? { output: outcome.output } : { error: { ...outcome.error } };
}
