/** DiagnoseRun: what a run waits for, since when, and which call would move it. */
import { create } from "@bufbuild/protobuf";
import { isJsonObject } from "../../../base/json/json.ts";
import { formatDuration } from "../../../base/time/duration.ts";
import { formatRfc3339 } from "../../../base/time/rfc3339.ts";
import type { Wait } from "../../../engine/machine/records.ts";
import type { TaskState } from "../../../engine/machine/state.ts";
import { CALLBACK } from "../../../engine/machine/tasks/callbacks.ts";
import type { LabeledLine } from "../../../engine/ports/dispatch/hand-overs.ts";
import type { LimitPlaces } from "../../../engine/ports/dispatch/limits.ts";
import type { Queues, QueueView, WaitingPlace } from "../../../engine/ports/dispatch/queues.ts";
import type { Workers } from "../../../engine/ports/dispatch/workers.ts";
import type { RunReader } from "../../../engine/ports/run-reader.ts";
import { type RunFinding, RunFindingKind, RunFindingSchema } from "../../../gen/orchestrator/v1/run_diagnosis_pb.ts";
import { DiagnoseRunResponseSchema, type RunService } from "../../../gen/orchestrator/v1/run_service_pb.ts";
import type { Worker } from "../../../gen/orchestrator/v1/worker_pb.ts";
import { WorkerService } from "../../../gen/orchestrator/v1/worker_service_pb.ts";
import { carrierOf, isAtAgents, isSilent, nameOf } from "../../../tasks/addresses.ts";
import type { Carrier } from "../../../tasks/define.ts";
import type { CallContext, ServiceHandlers } from "../../calls/call.ts";
import { MAX_PAGE_SIZE } from "../../lists/paging.ts";
import { assigneesOf } from "../../mapping/task.ts";
import { toTimestamp } from "../../mapping/time.ts";
import { toWorker } from "../../mapping/worker.ts";
import type { AskPeers } from "../../peers/ask-peers.ts";

/** Most findings of a run. */
const MAX_FINDINGS = 100;

/** Most tasks that are counted before another one. */
const MAX_AHEAD = 1_000;

const DECIDE = "ApprovalService.DecideApproval";
/** Ends a task that somebody else does; FailTask does, too. */
const COMPLETE = "RunService.CompleteTask";

export interface DiagnosisNeeds {
  readonly runReader: Pick<RunReader, "getRun">;
  readonly queues: Pick<Queues, "findPlace" | "viewQueues">;
  readonly workers: Pick<Workers, "list">;
  readonly limitPlaces: LimitPlaces;
  readonly askPeers: AskPeers;
  /** Null: nothing relays messages to topics. */
  readonly outboxGates: Readonly<Partial<Record<Carrier, { isFullFor(place: string): boolean }>>>;
  /** When the message of a task was written that has not been sent, milliseconds; null: there is none. */
  findUnsent(runId: string, path: string): Promise<number | null>;
  /** Whether agents are there for the tasks of a line. */
  readonly isServed: (line: LabeledLine) => boolean;
}

type Method = Pick<ServiceHandlers<typeof RunService>, "diagnoseRun">;

export function createRunDiagnosis(needs: DiagnosisNeeds): Method {
  return {
    async diagnoseRun({ runId }, call) {
      const { state } = await needs.runReader.getRun(call.caller, runId);
      if (state.endedAt !== 0) return create(DiagnoseRunResponseSchema, {});
      const findings = state.holds.map(({ kind, by, why, since }) => {
        const who = by === "" ? "" : ` by ${by}`;
        const message = `the run is held (${kind})${who}${why === "" ? "" : `: ${why}`}`;
        // A run that goes on without a raise finds the same budget, and is held again.
        const method = kind === "budget" ? "BudgetService.RaiseBudget" : "RunService.ResumeRun";
        return toFinding("", RunFindingKind.HELD, message, since, method);
      });
      if (state.limitSlot !== null && state.limitSlot.state !== "taken")
        findings.push(await findLimit(needs, call, runId, { path: "", readyAt: state.createdAt, ...state }));
      const open = [...state.tasks.values()].filter(isOpen);
      const connected = open.some(awaitsWorker) ? await listWorkers(needs, call) : [];
      for (const task of open.slice(0, MAX_FINDINGS - findings.length))
        findings.push(await findTask(needs, call, runId, task, connected));
      return create(DiagnoseRunResponseSchema, {
        findings,
        truncated: findings.length < state.holds.length + open.length,
      });
    },
  };
}

function isOpen({ state, group }: TaskState): boolean {
  // A group waits for its children, which are tasks of their own.
  return group === null && ["SCHEDULED", "RUNNING", "RETRYING", "WAITING"].includes(state);
}

function awaitsWorker({ state, handedTo, limitSlot }: TaskState): boolean {
  return state === "SCHEDULED" && handedTo === null && (limitSlot === null || limitSlot.state === "taken");
}

async function findTask(
  needs: DiagnosisNeeds,
  call: CallContext,
  runId: string,
  task: TaskState,
  connected: readonly Worker[],
): Promise<RunFinding> {
  if (awaitsWorker(task)) return findWorker(needs, call, runId, task, connected);
  const isInLine = task.limitSlot?.state === "waiting" || task.limitSlot?.state === "withdrawn";
  if (isInLine) return findLimit(needs, call, runId, task);
  const { handedTo } = task;
  return isSilent(handedTo) ? findOnTopic(needs, runId, task, nameOf(handedTo ?? "")) : findWait(task);
}

async function findLimit(
  { limitPlaces }: DiagnosisNeeds,
  { caller }: CallContext,
  runId: string,
  { path, readyAt, limitSlot }: Pick<TaskState, "path" | "readyAt" | "limitSlot">,
): Promise<RunFinding> {
  const { LIMIT, LIMIT_PAUSED } = RunFindingKind;
  if (limitSlot?.state === "withdrawn")
    return toFinding(path, LIMIT, "it gets its place at its limit back when its run goes on", readyAt, "");
  const place = await limitPlaces.findPlace(caller.tenantId, runId, path);
  if (place === null) return toFinding(path, LIMIT, "it is about to begin", readyAt, "");
  const { name, key, pause, maxConcurrent, rate, holders, ahead } = place;
  const limit = key === "" ? name : `${name} (${key})`;
  if (pause !== null) {
    const who = pause.runId === "" ? pause.by || "somebody" : `run ${pause.runId}, which was told to come back later`;
    const why = pause.why === "" ? "" : `: ${pause.why}`;
    const message = `limit ${limit} gives out nothing until ${formatRfc3339(pause.until)}, by ${who}${why}`;
    return toFinding(path, LIMIT_PAUSED, message, readyAt, "LimitService.ResumeLimit");
  }
  if (maxConcurrent === null && rate === null) {
    const message = `limit ${name} is not declared, and the flow gives it no bound: nothing begins`;
    return toFinding(path, LIMIT, message, readyAt, "LimitService.PutLimit");
  }
  const bounds = [
    ...(maxConcurrent === null ? [] : [`${holders} of ${maxConcurrent} slots are taken`]),
    ...(rate === null ? [] : [`${rate.count} may begin per ${formatDuration(rate.perMs)}`]),
  ];
  const before = ahead > MAX_AHEAD ? `more than ${MAX_AHEAD}` : String(ahead);
  const message = `it waits for a slot of limit ${limit}: ${bounds.join(", ")}; ${before} tasks go before it`;
  return toFinding(path, LIMIT, message, readyAt, "LimitService.PutLimit");
}

/** A task whose message waits in the outbox, or was sent: an executor has it, or will read it. */
async function findOnTopic(
  { findUnsent }: DiagnosisNeeds,
  runId: string,
  { path, state, attempt, startedAt, dueAt }: TaskState,
  topic: string,
): Promise<RunFinding> {
  const ends = `${untilOf(dueAt)}; CompleteTask and FailTask end it`;
  if (state === "RUNNING") {
    const message = `attempt ${attempt} is under way at an executor of topic ${topic}${ends}`;
    return toFinding(path, RunFindingKind.WORKER, message, startedAt, COMPLETE);
  }
  const unsentSince = await findUnsent(runId, path);
  if (unsentSince !== null) {
    const message = `its message to topic ${topic} is not sent yet: the brokers are away or slow${ends}`;
    return toFinding(path, RunFindingKind.QUEUE, message, unsentSince, COMPLETE);
  }
  const message = `attempt ${attempt} was sent to topic ${topic}, and no executor has answered${ends}`;
  return toFinding(path, RunFindingKind.WORKER, message, startedAt, COMPLETE);
}

function untilOf(dueAt: number | null): string {
  return dueAt === null ? "" : `; its time ends at ${formatRfc3339(dueAt)}`;
}

function findWait(task: TaskState): RunFinding {
  const { path, state, attempt, wait, handedTo, dueAt, error, readyAt, startedAt } = task;
  if (wait?.kind === "approval") return findApproval(task);
  if (wait !== null) return findWaiting(path, wait, dueAt, readyAt);
  if (state === "RETRYING") {
    if (error?.type === "BREAKER_FORCED_OPEN") {
      const message = `${error.type}: ${error.message}`;
      return toFinding(path, RunFindingKind.BREAKER_FORCED, message, dueAt ?? readyAt, "ToolService.LiftToolOverride");
    }
    // The time since when it is ready stands still while its call is put off.
    const isPutOff = error !== null && dueAt !== null && dueAt !== readyAt;
    const message = isPutOff
      ? `its call is put off (${error.type}): ${error.message}`
      : `attempt ${attempt} failed (${error?.type ?? "unknown"}); the next one is due`;
    return toFinding(path, RunFindingKind.RETRY, message, dueAt ?? readyAt, "");
  }
  if (handedTo === null)
    return toFinding(path, RunFindingKind.ATTEMPT, `attempt ${attempt} is under way`, startedAt || readyAt, "");
  const since = startedAt || readyAt;
  if (handedTo === CALLBACK) {
    const message = `the call was answered, and its callback is awaited${untilOf(dueAt)}`;
    return toFinding(path, RunFindingKind.ATTEMPT, message, since, COMPLETE);
  }
  const holder = isAtAgents(handedTo) ? `an agent of type ${nameOf(handedTo).replace("stream:", "")}` : "a worker";
  const message =
    state === "SCHEDULED"
      ? `it is handed out to ${holder} and not acknowledged yet`
      : `attempt ${attempt} is under way at ${holder}${untilOf(dueAt)}`;
  return toFinding(path, RunFindingKind.WORKER, message, since, COMPLETE);
}

/** Who is asked what; also by an interrupted graph, or by the gate before a call. */
function findApproval({ path, suspension, input, startedAt, readyAt }: TaskState): RunFinding {
  const asked = suspension?.value ?? input;
  const assignees = assigneesOf(asked);
  const { title } = isJsonObject(asked) ? asked : {};
  const who = assignees.length === 0 ? "" : ` of ${assignees.join(", ")}`;
  const what = typeof title === "string" && title !== "" ? `: ${title}` : "";
  const message = `it waits for a decision${who}${what}`;
  return toFinding(path, RunFindingKind.APPROVAL, message, startedAt || readyAt, DECIDE);
}

function findWaiting(
  path: string,
  wait: Exclude<Wait, { kind: "approval" }>,
  dueAt: number | null,
  since: number,
): RunFinding {
  switch (wait.kind) {
    case "timer":
      return toFinding(path, RunFindingKind.TIMER, "it waits until a point in time", dueAt ?? since, "");
    case "signal":
      return toFinding(
        path,
        RunFindingKind.SIGNAL,
        `it waits for the signal ${wait.name}`,
        since,
        "RunService.SignalRun",
      );
    case "run":
      return toFinding(path, RunFindingKind.CHILD_RUN, `it waits for the end of run ${wait.runId}`, since, "");
  }
}

async function findWorker(
  { queues, outboxGates, isServed }: DiagnosisNeeds,
  call: CallContext,
  runId: string,
  { path, readyAt }: TaskState,
  connected: readonly Worker[],
): Promise<RunFinding> {
  const place = await queues.findPlace(call.caller, runId, path);
  if (place === null) return toFinding(path, RunFindingKind.QUEUE, "it is about to be handed out", readyAt, "");
  const carrier = carrierOf(place.queue);
  const gate = outboxGates[carrier];
  if (gate !== undefined) return findRelayed(path, place, carrier, gate.isFullFor(nameOf(place.queue)), readyAt);
  if (carrier === "agents") return findAgent(path, place, isServed(place), readyAt);
  const [view] = await queues.viewQueues(call.caller, [place.queue]);
  const stopped = view === undefined ? null : findStop(path, place, view, readyAt);
  return stopped ?? findSlot(path, place, view?.buildIds ?? [], connected, readyAt);
}

/** What messages leave for, and who takes them. */
const RELAYED: Readonly<Partial<Record<Carrier, readonly [place: string, others: string]>>> = {
  topics: ["topic", "the brokers"],
  webhooks: ["webhook", "the endpoint"],
  streams: ["stream", "Redis"],
};

function findRelayed(
  path: string,
  { queue }: WaitingPlace,
  carrier: Carrier,
  isFull: boolean,
  since: number,
): RunFinding {
  const [kind, others] = RELAYED[carrier] ?? ["", ""];
  const place = `${kind} ${nameOf(queue)}`;
  if (!isFull) return toFinding(path, RunFindingKind.QUEUE, `it is about to be put on ${place}`, since, "");
  const message = `OUTBOX_FULL: too many messages wait for ${others}; what the task has for ${place} is deferred`;
  return toFinding(path, RunFindingKind.QUEUE_FULL, message, since, "");
}

function findAgent(path: string, { handler }: WaitingPlace, isServed: boolean, since: number): RunFinding {
  if (isServed) return toFinding(path, RunFindingKind.QUEUE, "it is about to be given to an agent", since, "");
  const message = `no agent of type ${handler} listens, or Redis is away; the task waits for one`;
  return toFinding(path, RunFindingKind.NO_WORKER, message, since, "");
}

/** What keeps tasks in the queue, or out of it. */
function findStop(path: string, place: WaitingPlace, view: QueueView, since: number): RunFinding | null {
  const { queue, pause, drain, maxLength } = view;
  const stop = pause ?? (place.deferred ? drain : null);
  if (stop !== null) {
    const [verb, kind] =
      stop === pause ? ["paused", RunFindingKind.QUEUE_PAUSED] : ["drained", RunFindingKind.QUEUE_DRAINED];
    const who = `by ${stop.by === "" ? "somebody" : stop.by}${stop.why === "" ? "" : `: ${stop.why}`}`;
    return toFinding(
      path,
      kind as RunFindingKind,
      `queue ${queue} is ${verb} ${who}`,
      stop.since,
      "QueueService.ResumeQueue",
    );
  }
  if (!place.deferred) return null;
  const message = `QUEUE_FULL: queue ${queue} holds ${maxLength ?? "as many"} tasks as it may; the task is deferred`;
  return toFinding(path, RunFindingKind.QUEUE_FULL, message, since, "QueueService.UpdateQueue");
}

function findSlot(
  path: string,
  { queue, handler, labels, ahead }: WaitingPlace,
  pins: readonly string[],
  connected: readonly Worker[],
  since: number,
): RunFinding {
  const serving = connected.filter((one) => one.queues.includes(queue) && one.handlers.includes(handler));
  const able = serving.filter((worker) => hasLabels(worker, labels));
  const fit = able.filter(({ buildId }) => pins.length === 0 || pins.includes(buildId));
  if (fit.length > 0) {
    const before = ahead > MAX_AHEAD ? `more than ${MAX_AHEAD}` : String(ahead);
    const waits = formatDuration(Math.max(0, Date.now() - since));
    const message = `it waits in queue ${queue} for ${waits}; ${before} tasks go before it; ${fit.length} workers can do it`;
    return toFinding(path, RunFindingKind.QUEUE, message, since, "");
  }
  const missing =
    serving.length === 0
      ? `no worker serves queue ${queue} with handler ${handler}`
      : able.length === 0
        ? `none of the ${serving.length} workers of queue ${queue} has the labels ${labels}`
        : `queue ${queue} takes the builds ${pins.join(", ")}, and none of its workers has one of them`;
  return toFinding(path, RunFindingKind.NO_WORKER, missing, since, able.length > 0 ? "QueueService.UpdateQueue" : "");
}

function hasLabels(worker: Worker, labels: string): boolean {
  return (
    labels === "" ||
    labels.split(",").every((label) => {
      const [key = "", value] = label.split("=");
      return worker.labels[key] === value;
    })
  );
}

/** Workers of all instances, at most a page of each. */
async function listWorkers({ workers, askPeers }: DiagnosisNeeds, call: CallContext): Promise<readonly Worker[]> {
  const { answers } = await askPeers(WorkerService.method.listWorkers, { pageSize: MAX_PAGE_SIZE }, call);
  return [...workers.list(call.caller).map(toWorker), ...answers.flatMap((answer) => answer.workers)];
}

function toFinding(taskId: string, kind: RunFindingKind, message: string, time: number, method: string): RunFinding {
  return create(RunFindingSchema, { taskId, kind, message, method, eventTime: toTimestamp(time) });
}
