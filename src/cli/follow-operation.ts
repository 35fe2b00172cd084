/** Follows an operation to its end and shows progress on standard error. */
import type { ApiClient } from "../api/client/client.ts";
import { toDuration } from "../api/mapping/time.ts";
import {
  type Operation,
  OperationSchema,
  OperationState,
  OperationStateSchema,
} from "../gen/orchestrator/v1/operation_pb.ts";
import { OperationService } from "../gen/orchestrator/v1/operation_service_pb.ts";
import type { OutputOptions } from "./connection/connect.ts";
import { EXIT } from "./exit-codes.ts";
import { toStderr, toStdout } from "./terminal/output.ts";
import { nameOf, printJson, toPrintable } from "./terminal/print.ts";

/** Duration of one wait, milliseconds, which is also the interval of progress lines. */
const WAIT_MS = 2_000;

/** Resolves with the operation once it has ended. */
export async function followOperation(client: ApiClient, started: Operation): Promise<Operation> {
  const { operationId } = started;
  toStderr`operation ${operationId} continues if this command is interrupted\n`;
  let operation = started;
  let shown = "";
  while (operation.endTime === undefined) {
    const request = { operationId, wait: toDuration(WAIT_MS) };
    const answer = await client.call(OperationService.method.waitOperation, request, { timeoutMs: WAIT_MS + 30_000 });
    operation = answer.operation ?? operation;
    const line = progressOf(operation);
    if (operation.endTime === undefined && line !== shown) toStderr`${line}\n`;
    shown = line;
  }
  return operation;
}

/** Progress of an operation: `120 of 450 done, 1 failed`. */
export function progressOf({ matchedCount, doneCount, failedCount }: Operation): string {
  return `${doneCount} of ${matchedCount} done${failedCount === 0 ? "" : `, ${failedCount} failed`}`;
}

/**
 * Prints the result of an operation. Returns the exit code: REFUSED if a run failed or the operation did not complete.
 */
export function endOfOperation(operation: Operation, { output }: OutputOptions): number {
  const { operationId, state, failures, failedCount, problem } = operation;
  if (output === "json") printJson(toPrintable(OperationSchema, operation));
  else toStdout`${operationId} is ${nameOf(OperationStateSchema, state)}: ${progressOf(operation)}\n`;
  for (const { runId, message } of failures) toStderr`${runId}: ${message}\n`;
  if (failedCount > failures.length) toStderr`… and ${failedCount - failures.length} more failed\n`;
  if (problem !== "") toStderr`${problem}\n`;
  return state === OperationState.COMPLETED && failedCount === 0 ? EXIT.OK : EXIT.REFUSED;
}
