/** `POST /api/v1/workflows`: starts an execution of a template, or of a workflow that the request brings along. */
import { createHash } from "node:crypto";
import { timestampDate } from "@bufbuild/protobuf/wkt";
import { isOrchestratorError } from "../../../base/errors.ts";
import { refuseField } from "../../../base/field-error.ts";
import type { Json, JsonObject } from "../../../base/json/json.ts";
import { canonicalJson } from "../../../base/json/json-canonical.ts";
import { MAX_CONTEXT_BYTES } from "../../../base/json/json-limits.ts";
import { EXECUTION_LABELS, EXECUTION_SOURCE } from "../../../base/labels.ts";
import { FlowService } from "../../../gen/orchestrator/v1/flow_service_pb.ts";
import { RunService } from "../../../gen/orchestrator/v1/run_service_pb.ts";
import { TemplateService } from "../../../gen/orchestrator/v1/template_service_pb.ts";
import type { ApiClient } from "../../client/client.ts";
import { type Answer, answer, type Exchange, readText } from "../exchange.ts";
import { statusOf } from "./words.ts";

/** A request to start, checked. */
interface StartOrder {
  readonly correlationId: string;
  readonly userId: string;
  /** Empty if the request brings a workflow. */
  readonly template: string;
  readonly workflow: JsonObject | null;
  readonly variables: JsonObject;
  /** Keys that the service does not know. The run keeps them. */
  readonly context: JsonObject;
}

/** Starts an execution. Each request starts another one, unless it repeats an `Idempotency-Key`. */
export async function startExecution({ client, idempotencyKey, body }: Exchange): Promise<Answer> {
  const order = readOrder((await body()) ?? {});
  const bytes = (value: Json): Uint8Array => Buffer.from(JSON.stringify(value));
  const start = async () => {
    const { flowId, version } = await flowOf(client, order);
    const { run } = await client.call(RunService.method.startRun, {
      flowId,
      version,
      requestId: idempotencyKey,
      inputValue: { case: "inputJson", value: bytes(order.variables) },
      correlationId: order.correlationId,
      userId: order.userId,
      labels: {
        [EXECUTION_LABELS.source]: EXECUTION_SOURCE,
        ...(order.template === "" ? {} : { [EXECUTION_LABELS.template]: order.template }),
      },
      executionContextJson: Object.keys(order.context).length === 0 ? new Uint8Array() : bytes(order.context),
      readMask: { paths: ["run_id", "state", "correlation_id", "create_time"] },
    });
    return run;
  };
  const run = await start().catch((error: unknown) => {
    // The version was deleted between the two calls. It is registered again.
    if (isOrchestratorError(error) && error.code === "FLOW_NOT_FOUND") return start();
    throw error;
  });
  if (run === undefined) throw new Error("a start answers with its run");
  return answer(202, {
    execution_id: run.runId,
    correlation_id: run.correlationId || run.runId,
    status: statusOf(run.state),
    workflow_template: order.template === "" ? null : order.template,
    created_at: run.createTime === undefined ? null : timestampDate(run.createTime).toISOString(),
  });
}

/** Checks the body. Null counts as absent, because some languages send it for what was not set. */
function readOrder(body: JsonObject): StartOrder {
  const { correlation_id, user_id, workflow_template, workflow, variables, ...context } = body;
  const order = {
    correlationId: readText(correlation_id, "correlation_id"),
    userId: readText(user_id, "user_id"),
    template: readText(workflow_template, "workflow_template"),
    workflow: readMap(workflow, "workflow"),
    variables: readMap(variables, "variables") ?? {},
    context: checkContext(context),
  };
  if (order.template === "" && order.workflow === null) refuseField("workflow_template", "is missing; name a template");
  if (order.template !== "" && order.workflow !== null)
    refuseField("workflow", "a request names a template or brings a workflow, not both");
  return order;
}

/** What every entrance accepts; the contract would name a field that the request does not have. */
function checkContext(context: JsonObject): JsonObject {
  const size = Buffer.byteLength(JSON.stringify(context));
  if (size <= MAX_CONTEXT_BYTES) return context;
  const names = Object.keys(context).slice(0, 3).join(", ").slice(0, 100);
  return refuseField(
    "",
    `keys that the service does not know (${names}) have ${size} bytes as JSON; the limit is ${MAX_CONTEXT_BYTES}`,
  );
}

function readMap(value: Json | undefined, field: string): JsonObject | null {
  if (value === undefined || value === null) return null;
  return typeof value === "object" && !Array.isArray(value)
    ? (value as JsonObject)
    : refuseField(field, "expected an object");
}

async function flowOf(client: ApiClient, order: StartOrder): Promise<{ flowId: string; version: string }> {
  const { flow } =
    order.workflow === null
      ? await client.call(TemplateService.method.instantiateTemplate, {
          templateId: order.template,
          renameOnConflict: true,
        })
      : await client.call(FlowService.method.registerFlow, {
          definition: { case: "documentJson", value: Buffer.from(JSON.stringify(toDocument(order.workflow, order))) },
        });
  if (flow === undefined) throw new Error("a registration answers with its flow");
  return flow;
}

/**
 * The flow document of a workflow that came with its request: the part of a template under `workflow`, or a whole
 * template. Without declarations, what the request sets is a variable, and replaces a value of the workflow with the
 * same name. The flow is a version of its own, named after its content, and never the latest.
 */
function toDocument(workflow: JsonObject, { variables }: StartOrder): JsonObject {
  const isWhole = Object.hasOwn(workflow, "workflow");
  const { version: _, ...given }: JsonObject = isWhole ? workflow : { workflow };
  const place = isWhole ? "workflow.workflow" : "workflow";
  const inner = readMap(given["workflow"], place) ?? refuseField(place, "expected an object");
  const values = readMap(inner["variables"], `${place}.variables`) ?? {};
  const own = Object.entries(values).filter(([name]) => !Object.hasOwn(variables, name));
  const declared = Object.keys(variables)
    .sort()
    .map((name) => ({ name }));
  const document: JsonObject = {
    ...given,
    id: given["id"] ?? inner["id"] ?? refuseField("workflow.id", "is missing"),
    ...("variables" in given
      ? {}
      : { variables: declared, workflow: { ...inner, variables: Object.fromEntries(own) } }),
  };
  const hash = createHash("sha256").update(canonicalJson(document)).digest("hex");
  return { ...document, version: `inline-${hash.slice(0, 12)}` };
}
