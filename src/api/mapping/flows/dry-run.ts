/** Dry runs as messages of the contract. */
import { create } from "@bufbuild/protobuf";
import type {
  Assumption,
  DryEstimate,
  DryRunReport,
  Mock,
  PlayedCall,
  Target,
  Way,
  WayEnd,
} from "../../../engine/ports/dry-run/dry-runs.ts";
import {
  type DryRunAssumption,
  DryRunAssumptionSchema,
  type DryRunCall,
  DryRunCallSchema,
  DryRunEnd,
  type DryRunEstimate,
  DryRunEstimateSchema,
  type DryRunResult,
  DryRunTargetKind,
  DryRunTargetSchema,
  DryRunTaskSchema,
  type DryRunWay,
  DryRunWaySchema,
} from "../../../gen/orchestrator/v1/flow_dry_run_pb.ts";
import { type DryRunFlowResponse, DryRunFlowResponseSchema } from "../../../gen/orchestrator/v1/flow_service_pb.ts";
import { encodeJson, fromPayload, type PayloadLimits } from "../payload.ts";
import { toDuration } from "../time.ts";

/** Most entries of a list in an answer. */
const MAX_LISTED = 1_000;

const END = {
  COMPLETED: DryRunEnd.COMPLETED,
  FAILED: DryRunEnd.FAILED,
  CANCELED: DryRunEnd.CANCELED,
  TIMED_OUT: DryRunEnd.TIMED_OUT,
  TERMINATED: DryRunEnd.TERMINATED,
  WAITING: DryRunEnd.WAITING,
  UNFINISHED: DryRunEnd.UNFINISHED,
} as const satisfies Record<WayEnd, DryRunEnd>;

const KIND = {
  service: DryRunTargetKind.SERVICE,
  address: DryRunTargetKind.ADDRESS,
  model: DryRunTargetKind.MODEL,
  flow: DryRunTargetKind.FLOW,
  graph: DryRunTargetKind.GRAPH,
  workers: DryRunTargetKind.WORKERS,
  topics: DryRunTargetKind.TOPICS,
  agents: DryRunTargetKind.AGENTS,
  webhooks: DryRunTargetKind.WEBHOOKS,
  streams: DryRunTargetKind.STREAMS,
} as const satisfies Record<Target["kind"], DryRunTargetKind>;

/** Reads the result of a task. Errors: INVALID_JSON, PAYLOAD_TOO_LARGE. */
export function fromDryRunResult({ outcome }: DryRunResult, field: string, limits: PayloadLimits): Mock {
  if (outcome.case !== "error") return { ok: true, output: fromPayload(outcome, `${field}.output`, null, limits) };
  const { type, message } = outcome.value;
  return { ok: false, error: { type, message } };
}

/** The report of a dry run. */
export function toDryRun(report: DryRunReport): DryRunFlowResponse {
  const { flowId, version, ways, isCut, tasks, unreached, targets, estimate, assumptions } = report;
  let room = MAX_LISTED;
  const roomFor = (calls: readonly PlayedCall[]): readonly PlayedCall[] => {
    const shown = calls.slice(0, room);
    room -= shown.length;
    return shown;
  };
  return create(DryRunFlowResponseSchema, {
    ...{ flowId, version, cut: isCut },
    ways: ways.map((way) => toWay(way, roomFor(way.calls))),
    tasks: first(tasks).map(({ id, type, ways: wayCount, mostCalls }) =>
      create(DryRunTaskSchema, { taskId: id, type, wayCount, maxCallCount: mostCalls }),
    ),
    unreachedTaskIds: first(unreached),
    targets: first(targets).map(({ kind, name }) => create(DryRunTargetSchema, { kind: KIND[kind], name })),
    estimate: toDryRunEstimate(estimate),
    assumptions: first(assumptions).map(toAssumption),
  });
}

/** Converts what calls to models may cost. */
export function toDryRunEstimate(estimate: DryEstimate): DryRunEstimate {
  return create(DryRunEstimateSchema, {
    minCostMicros: BigInt(estimate.minCostMicros),
    maxCostMicros: BigInt(estimate.maxCostMicros),
    minTokens: BigInt(estimate.minTokens),
    maxTokens: BigInt(estimate.maxTokens),
    unpricedModels: first(estimate.unpriced),
    unsizedTaskIds: first(estimate.unsized),
    uncountedTaskIds: first(estimate.uncounted),
  });
}

function first<T>(list: readonly T[]): T[] {
  return list.slice(0, MAX_LISTED);
}

function toWay(way: Way, shown: readonly PlayedCall[]): DryRunWay {
  const { choices, end, error, durationMs, calls, costMicros, tokens } = way;
  return create(DryRunWaySchema, {
    choices: first(choices),
    end: END[end],
    ...(error === null ? {} : { errorType: error.type, errorMessage: error.message, errorTaskId: error.task ?? "" }),
    duration: toDuration(durationMs),
    callCount: calls.length,
    calls: shown.map(toCall),
    costMicros: BigInt(costMicros),
    reservedTokens: BigInt(tokens),
  });
}

function toCall({ path, type, attempt, input }: PlayedCall): DryRunCall {
  const inputJson = input === null ? new Uint8Array() : encodeJson(input);
  return create(DryRunCallSchema, { taskPath: path, type, attempt, inputJson });
}

/** Converts something that was assumed. */
export function toAssumption({ place, what }: Assumption): DryRunAssumption {
  return create(DryRunAssumptionSchema, { place, text: what });
}
