/** Converts flows to messages of the contract. */
import { create } from "@bufbuild/protobuf";
import type { FieldViolation } from "../../base/errors.ts";
import { isJsonObject, type Json, type JsonObject } from "../../base/json/json.ts";
import { isValidTime } from "../../base/time/time-range.ts";
import type { FlowVersion } from "../../flows/ports/registry.ts";
import type { FlowWarning as FoundWarning } from "../../flows/warnings/warning.ts";
import type { Flow, FlowProblem, FlowVariable, FlowWarning } from "../../gen/orchestrator/v1/flow_pb.ts";
import {
  FlowProblemSchema,
  FlowSchema,
  FlowVariableSchema,
  FlowWarningSchema,
} from "../../gen/orchestrator/v1/flow_pb.ts";
import { FLOW_KIND, VARIABLE_TYPE } from "./enums.ts";
import { toValue } from "./payload.ts";
import { toTimestamp } from "./time.ts";

/** Converts a flow version, with the original definition if `withSource` is set. */
export function toFlow(flow: FlowVersion, withSource: boolean): Flow {
  const { document } = flow;
  return create(FlowSchema, {
    flowId: flow.flowId,
    version: flow.version,
    flowHash: flow.hash,
    tenantId: flow.tenantId,
    name: flow.name,
    description: flow.damage === undefined ? flow.description : `This version cannot be read: ${flow.damage}.`,
    category: textOf(document.category),
    kind: FLOW_KIND[flow.kind],
    variables: toVariables(document.variables),
    taskCount: countTasks(document),
    latest: flow.latest,
    ...(isValidTime(flow.createdAt) ? { createTime: toTimestamp(flow.createdAt) } : {}),
    source: withSource ? flow.source : "",
  });
}

/** Problems of a definition. */
export function toProblems(problems: readonly FieldViolation[]): FlowProblem[] {
  return problems.map((problem) =>
    create(FlowProblemSchema, {
      path: problem.field,
      line: problem.line ?? 0,
      column: problem.column ?? 0,
      message: problem.description,
    }),
  );
}

/** Warnings about a definition. */
export function toWarnings(warnings: readonly FoundWarning[]): FlowWarning[] {
  return warnings.map(({ code, path, line = 0, column = 0, message, cure }) =>
    create(FlowWarningSchema, { code, path, line, column, message, cure }),
  );
}

/** Declared variables of a document. */
export function toVariables(declared: Json | undefined): FlowVariable[] {
  if (!Array.isArray(declared)) return [];
  return declared.filter(isJsonObject).map((variable) => {
    const shown = create(FlowVariableSchema, {
      name: textOf(variable.name),
      type: VARIABLE_TYPE[(textOf(variable.type) || "any") as keyof typeof VARIABLE_TYPE] ?? VARIABLE_TYPE.any,
      description: textOf(variable.description),
      required: variable.required === true,
    });
    if (variable.default !== undefined) shown.defaultValue = toValue(variable.default);
    return shown;
  });
}

/** Number of tasks or states in a document; a graph counts as one task. */
function countTasks(document: JsonObject): number {
  const { workflow = null } = document;
  const listed = isJsonObject(workflow) ? (workflow.tasks ?? workflow.states) : null;
  return Array.isArray(listed) ? listed.length : 1;
}

function textOf(value: Json | undefined): string {
  return typeof value === "string" ? value : "";
}
