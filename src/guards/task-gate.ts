/**
 * The gate for tasks that pass no call path, since others do them, and for what results of tasks give to prompts: both
 * are judged when the parameters of the task are made. What calls send is redacted at the same time.
 */
import type { Json, JsonObject } from "../base/json/json.ts";
import { originOf } from "../base/net/origin.ts";
import type { GateAnswer, GatedTask, TaskGate } from "../engine/ports/gate/task-gate.ts";
import type { CallGate, CallVerdict } from "./call-gate.ts";
import { denialOf, type GateReport } from "./gate-report.ts";
import type { CallTarget } from "./policy/allow.ts";

/** Creates the gate for tasks. */
export function createTaskGate(gate: CallGate, report: GateReport): TaskGate {
  const toAnswer = (verdict: CallVerdict): GateAnswer => {
    if (verdict.verdict === "deny") return { denied: denialOf(verdict) };
    // Nobody is asked, and nothing is deferred.
    return verdict.verdict === "redact" ? { value: verdict.value } : null;
  };
  return {
    judge: (task) => toAnswer(report(gate.judgeTask(task, targetOfInput(task)), task)),
    redact: (task) => toAnswer(report(gate.redactCalled(task), task)),
    resultJudge(task) {
      const found = task.type === "ai" ? gate.resultJudge(task) : null;
      return found === null ? null : (value) => toAnswer(report(found.judge(value), task));
    },
  };
}

/** What a task reaches, as far as its parameters say it. */
export function targetOfInput({ type, input }: Pick<GatedTask, "type" | "input">): CallTarget {
  const { service, url } = (input ?? {}) as JsonObject;
  return {
    service: typeof service === "string" ? service : "",
    origin: typeof url === "string" ? originOf(url) : "",
    models: type === "ai" ? namedModels(input) : null,
  };
}

/** The models that the parameters of an `ai` task name, as `provider/model`; null: they leave one open. */
function namedModels(input: Json): readonly string[] | null {
  const { provider, model = null, fallback } = (input ?? {}) as JsonObject;
  const asked: readonly JsonObject[] = [{ model }, ...(Array.isArray(fallback) ? (fallback as JsonObject[]) : [])];
  const names = asked.map((one) => [one.provider ?? provider, one.model]);
  if (!names.every((pair) => pair.every((name) => typeof name === "string"))) return null;
  return names.map((pair) => pair.join("/"));
}
