/**
 * What inbound messages do: start runs, and end tasks. A message is done when what it asks for is durable, or when it
 * is rejected because it can never be applied. A run that it names and that cannot begin is then FAILED. While a
 * message cannot be applied yet (the database is away, a run is moving to another instance), it is tried again.
 */
import { isOrchestratorError } from "../../base/errors.ts";
import { isJsonObject } from "../../base/json/json.ts";
import type { Log } from "../../base/log.ts";
import type { BusCommands, MessageStart } from "../../engine/ports/bus/commands.ts";
import type { InboundMessage, RejectedMessages } from "../../engine/ports/bus/inbound.ts";
import { applyMessage, type Problem } from "../apply-message.ts";
import { KILLS_ITS_READER } from "../deaths.ts";
import { MessageRefused } from "../message-fields.ts";
import type { OwnerDeaths } from "../owner-deaths.ts";
import type { Handle } from "./broker-reads.ts";
import { readTaskDone, readTaskFailed, readTaskStarted, type TaskChange } from "./messages/answer.ts";
import { type FlowRunRequested, readFlowRun } from "./messages/flow-run.ts";
import { type FindOutside, RegistryAway } from "./outside-flows.ts";
import type { Trials } from "./trials.ts";

/** Why an answer is for no attempt that anybody knows of. */
const TOO_OLD =
  "its time less execution_time_ms is before the current attempt, and it repeats neither attempt nor fencing_token";

/** Longest texts of a run that has failed at its start, characters. */
const MAX_TEXT = 256;

/** Flows that come with messages. */
export interface InlineFlows {
  /**
   * Registers the flow of a request; resolves with its id and version. Errors: FLOW_INVALID, and those of the store.
   */
  register(tenantId: string, request: Pick<FlowRunRequested, "flowId" | "definition" | "input">): Promise<InlineFlow>;
}

export interface InlineFlow {
  readonly flowId: string;
  readonly version: string;
}

export interface InboundParts {
  readonly commands: BusCommands;
  readonly inlineFlows: InlineFlows;
  readonly rejected: RejectedMessages;
  /** Finds flows that are not registered here; null: there is no such registry. */
  readonly findOutside: FindOutside | null;
  /** Tenant of the run that a message asks for; `given` is what the message says, or empty. */
  tenantOf(given: string): string;
  readonly maxBytes: number;
  readonly stopping: AbortSignal;
  readonly trials: Pick<Trials, "attempted" | "ownerDied">;
  readonly ownerDeaths: OwnerDeaths;
  /** An answer changed nothing, for this reason. */
  ignored(reason: string): void;
  readonly log: Log;
}

export type UntilDoneParts = Pick<InboundParts, "rejected" | "trials" | "ownerDeaths" | "stopping" | "log">;

/** Creates what takes the messages of each kind. */
export function createInbound(
  parts: InboundParts,
): Record<"flowRuns" | "taskStarted" | "taskDone" | "taskFailed", Handle> {
  return {
    flowRuns: (messages) => messages.map((message) => start(parts, message)),
    taskStarted: (messages) => messages.map((message) => answer(parts, message, readTaskStarted)),
    taskDone: (messages) => messages.map((message) => answer(parts, message, readTaskDone)),
    taskFailed: (messages) => messages.map((message) => answer(parts, message, readTaskFailed)),
  };
}

function start(parts: InboundParts, message: InboundMessage): Promise<void> {
  const since = performance.now();
  let request: FlowRunRequested;
  try {
    request = readFlowRun(message, parts.maxBytes);
  } catch (error) {
    return untilDone(parts, message, () => Promise.reject(error));
  }
  return untilDone(
    parts,
    message,
    async (ownerDied) => {
      try {
        await startRun(parts, request, since, ownerDied);
      } catch (error) {
        // The message came before, or its sender repeated it.
        if (!isOrchestratorError(error) || error.code !== "RUN_ALREADY_EXISTS") throw error;
      }
    },
    (problem) => failRun(parts, request, problem),
  );
}

/** Starts the run. Its flow may come with the message, or be registered elsewhere. */
async function startRun(
  parts: InboundParts,
  request: FlowRunRequested,
  since: number,
  ownerDied: () => void,
): Promise<void> {
  const { commands, inlineFlows, findOutside } = parts;
  const tenantId = parts.tenantOf(request.tenantId);
  const begin = ({ flowId, version }: InlineFlow): Promise<void> =>
    commands.start(tenantId, toStart(request, flowId, version), ownerDied);
  if (request.definition !== null) return begin(await inlineFlows.register(tenantId, request));
  try {
    await begin({ flowId: request.flowId, version: "" });
  } catch (error) {
    if (findOutside === null || !isOrchestratorError(error) || error.code !== "FLOW_NOT_FOUND") throw error;
    const flow = await findOutside(tenantId, request, since);
    if (flow === null) throw error;
    await begin(flow);
  }
}

function toStart(request: FlowRunRequested, flowId: string, version: string): MessageStart {
  const { runId, input, userId, correlationId, context, trace } = request;
  return { flowId, version, runId, input, userId, correlationId, context, trace, labels: {}, refusal: null };
}

/** The run that a message asks for, and that cannot begin, has failed. */
async function failRun(
  { commands, tenantOf }: InboundParts,
  request: FlowRunRequested,
  problem: Problem,
): Promise<void> {
  const { tenantId, flowId, definition } = request;
  const named = isJsonObject(definition) && typeof definition.id === "string" ? definition.id : "";
  const refusal = { type: problem.reason, message: problem.message };
  try {
    const { userId, correlationId, ...start } = toStart(request, flowId || named, "");
    const facts = { userId: keepable(userId), correlationId: keepable(correlationId) };
    await commands.start(tenantOf(tenantId), { ...start, ...facts, refusal });
  } catch (error) {
    // It exists, or not even its name can be used.
    if (!isOrchestratorError(error) || error.retry !== "no") throw error;
  }
}

/** A text that a run may have; empty instead of another, so that the failed run can be found by its id. */
function keepable(text: string): string {
  return text.length <= MAX_TEXT && !/[\0\u0001]/.test(text) ? text : "";
}

function answer(
  parts: InboundParts,
  message: InboundMessage,
  read: (message: InboundMessage, maxBytes: number) => TaskChange,
): Promise<void> {
  return untilDone(parts, message, async (ownerDied) => {
    const { runId, taskId, attempt, fence, begunAt, place, outcome } = read(message, parts.maxBytes);
    const fate = await parts.commands.answer({ runId, taskId, attempt, fence, begunAt, place }, outcome, ownerDied);
    if (fate === "taken") return;
    if (fate === "unknown") throw new MessageRefused("UNKNOWN_TASK", `there is no task ${taskId} of a run ${runId}`);
    parts.ignored(fate);
    // The others come with every sender that is not sure, and with every takeover.
    if (fate !== "BEFORE_ATTEMPT") return;
    const { topic, partition, offset } = message;
    const where = { topic, partition, offset: String(offset), runId, task: taskId, begunAt };
    parts.log.warn(`an answer changes nothing: ${TOO_OLD}`, where);
  });
}

/** Applies a message, or rejects it. `apply` says when an instance has gone to which it had given the message. */
export async function untilDone(
  { rejected, trials, ownerDeaths, stopping, log }: UntilDoneParts,
  message: InboundMessage,
  apply: (ownerDied: () => void) => Promise<void>,
  fail: (problem: Problem) => Promise<void> = async () => {},
): Promise<void> {
  const refuse = async (problem: Problem): Promise<void> => {
    await rejected.keep(message, problem.reason, problem.message);
    // Its run would kill as well.
    if (problem.reason !== KILLS_ITS_READER) await fail(problem);
    const { topic, partition, offset } = message;
    log.warn("a message was rejected", { topic, partition, offset: String(offset), reason: problem.reason });
  };
  const isExpected = (error: unknown): boolean => error instanceof RegistryAway;
  const attempt = ownerDeaths.attemptsOf(apply, () => trials.ownerDied(message));
  const attempted = (): void => trials.attempted(message);
  const end = await applyMessage({
    apply: attempt,
    refuse,
    attempted,
    isExpected,
    stopping,
    log,
  });
  // What is not done when this instance stops is read again by the next owner: this promise never resolves.
  if (end === "left") await new Promise<void>(() => {});
}
