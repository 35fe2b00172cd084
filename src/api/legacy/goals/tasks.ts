/** Submission of tasks, and one of them. */
import { timestampMs } from "@bufbuild/protobuf/wkt";
import type { Json, JsonObject } from "../../../base/json/json.ts";
import type { Goal } from "../../../gen/orchestrator/v1/goal_pb.ts";
import { GoalService } from "../../../gen/orchestrator/v1/goal_service_pb.ts";
import { type Answer, answer, type Exchange } from "../exchange.ts";
import { answerProblems, createReader, type Reader } from "./problems.ts";
import { fromPriority, MOST, PRIORITIES, priorityOf, statusOf } from "./words.ts";

const SHOWN = ["goal_id", "goal", "status", "priority", "context_json", "create_time", "update_time"];

/** `POST /submit` */
export async function submitTask({ client, idempotencyKey, body }: Exchange): Promise<Answer> {
  const given = await body();
  if (given === null) return answerProblems([{ loc: ["body"], msg: "Field required", type: "missing" }]);
  const reader = createReader();
  const order = readOrder(given, reader);
  if (reader.problems.length > 0) return answerProblems(reader.problems);
  const request = { ...order, requestId: idempotencyKey, readMask: { paths: SHOWN } };
  const { goal } = await client.call(GoalService.method.submitGoal, request);
  return answer(200, toTask(goal));
}

/** `GET /tasks/{task_id}` */
export async function getTask({ client, params: [id = ""] }: Exchange): Promise<Answer> {
  const goalId = readUuid(id);
  if (goalId === null)
    return answerProblems([{ loc: ["path", "task_id"], msg: "Input should be a valid UUID", type: "uuid_parsing" }]);
  const { goal } = await client.call(GoalService.method.getGoal, { goalId, readMask: { paths: SHOWN } });
  return answer(200, { ...toTask(goal), updated_at: timeOf(goal?.updateTime) });
}

/** Fields that are not known are left alone, as pydantic does. */
function readOrder(body: JsonObject, reader: Reader) {
  const { goal, constraints = [], context = {}, acceptance_criteria: criteria = [], priority = "medium" } = body;
  const text =
    goal === undefined
      ? reader.note(["body", "goal"], "missing", "Field required")
      : reader.text(goal, ["body", "goal"], MOST.goalCharacters);
  if (text === "") reader.note(["body", "goal"], "string_too_short", "String should have at least 1 character");
  const texts = (value: Json, name: string) =>
    reader.texts(value, ["body", name], MOST.items, MOST.itemCharacters) ?? [];
  const order = {
    goal: text ?? "",
    constraints: [...texts(constraints, "constraints")],
    contextValue: {
      case: "contextJson" as const,
      value: Buffer.from(JSON.stringify(reader.object(context, ["body", "context"]) ?? {})),
    },
    acceptanceCriteria: [...texts(criteria, "acceptance_criteria")],
  };
  const word = reader.choice(priority, ["body", "priority"], PRIORITIES);
  const rank = fromPriority(word ?? "");
  return { ...order, ...(rank === undefined ? {} : { priority: rank }), ...readBudget(body["budget"] ?? null, reader) };
}

function readBudget(value: Json, reader: Reader) {
  if (value === null) return {};
  const given = reader.object(value, ["body", "budget"]) ?? {};
  const read = (name: string, kind: "number" | "integer", min: number, max: number): number | undefined => {
    const field = given[name];
    return field === undefined ? undefined : reader[kind](field, ["body", "budget", name], min, max);
  };
  const costUsd = read("max_cost_usd", "number", 0, MOST.costUsd);
  const seconds = read("max_time_seconds", "integer", 1, MOST.timeSeconds);
  const tokens = read("max_tokens", "integer", 0, MOST.tokens);
  return {
    budget: {
      ...(costUsd === undefined ? {} : { maxCostMicros: BigInt(Math.round(costUsd * 1_000_000)) }),
      ...(seconds === undefined ? {} : { maxTime: { seconds: BigInt(seconds) } }),
      ...(tokens === undefined ? {} : { maxTokens: BigInt(tokens) }),
    },
  };
}

function toTask(goal: Goal | undefined) {
  if (goal === undefined) throw new Error("a call answers with the goal");
  const { contextValue: context } = goal;
  return {
    task_id: goal.goalId,
    goal: goal.goal,
    status: statusOf(goal.status),
    priority: priorityOf(goal.priority),
    created_at: timeOf(goal.createTime),
    metadata: context.case === "contextJson" ? (JSON.parse(Buffer.from(context.value).toString()) as JsonObject) : {},
  };
}

function timeOf(time: Goal["createTime"]): string | null {
  return time === undefined ? null : new Date(timestampMs(time)).toISOString();
}

/** A UUID in any form that Python reads, in ours; null: it is none. */
function readUuid(text: string): string | null {
  const digits = text
    .toLowerCase()
    .replace(/^urn:uuid:/, "")
    .replace(/^\{(.*)\}$/, "$1");
  const parts = /^([0-9a-f]{8})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{12})$/.exec(digits);
  return parts === null ? null : parts.slice(1).join("-");
}
