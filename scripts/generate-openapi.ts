/**
 * Makes `contracts/openapi.yaml` of the documents of protoc-gen-openapiv3 and of what that plugin leaves out: the
 * validation rules, the grammars of proto JSON, oneofs, unknown fields, and the errors of each operation. Routes of
 * merged systems are added as they are.
 */
import { createFileRegistry, type DescMessage, type DescMethod, fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { stringify } from "yaml";
import { GOAL_OPENAPI } from "../src/api/legacy/goals/openapi.ts";
import { ROUTING_OPENAPI } from "../src/api/legacy/routing/openapi.ts";
import { WORKFLOW_OPENAPI } from "../src/api/legacy/workflows/openapi.ts";
import { toOperationErrors, toSharedResponses } from "./openapi-errors.ts";
import { groupRulesOf, isOfBatch, type Json, maskedMessage, oneofsOf, toKeywords } from "./openapi-rules.ts";

type Schema = Json & { properties?: Record<string, Schema>; required?: string[] };

interface Operation extends Json {
  operationId: string;
  summary?: string;
  description?: string;
  parameters?: { name: string; in: string; required?: boolean; description?: string; schema: Schema }[];
  requestBody?: { content: Record<string, { schema: Schema }> };
  responses: Record<string, { content?: Record<string, unknown> }>;
}

interface Document extends Json {
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, Schema>; responses?: Record<string, unknown> };
}

const INFO = {
  title: "Orchestrator",
  version: "v1",
  description:
    "REST form of the contract in contracts/orchestrator. Names are lowerCamelCase, 64-bit integers are strings, bytes are base64, " +
    "times are RFC 3339, durations are seconds with the suffix `s`. Errors are google.rpc.Status with an ErrorInfo.",
  license: { name: "MIT", identifier: "MIT" },
};

/**
 * Adds to the schema of a request, or of a message in it, what its fields may hold. `closed`: other fields are refused.
 */
function constrainSchema(schema: Schema, message: DescMessage, closed: boolean, mask?: DescMessage): void {
  const required = new Set(schema.required);
  for (const field of message.fields) {
    const property = schema.properties?.[field.jsonName];
    if (property === undefined) continue;
    if (closed && isOfBatch(field, mask)) {
      delete schema.properties?.[field.jsonName];
      continue;
    }
    const rule = toKeywords(field, mask);
    mergeKeywords(property, rule.keywords);
    if (rule.required && field.oneof === undefined) required.add(field.jsonName);
  }
  if (required.size > 0) schema.required = [...required].sort();
  const isShown = (name: string): boolean => schema.properties?.[name] !== undefined;
  const groups = oneofsOf(message)
    .map((group) => ({ ...group, names: group.names.filter(isShown) }))
    .filter(({ names }) => names.length > 1);
  const rules: Json[] = groups.map(({ names, required: isRequired }) => {
    const alone = names.map((name) => ({ required: [name] }));
    return { oneOf: isRequired ? alone : [...alone, { not: { anyOf: alone } }] };
  });
  rules.push(
    ...groupRulesOf(message)
      .filter(({ names }) => names.every(isShown))
      .map(({ rule }) => rule),
  );
  if (rules.length > 0) schema.allOf = rules;
  if (closed) schema.additionalProperties = false;
}

/** Puts keywords into a schema; those of elements and entries are added to what stands there. */
function mergeKeywords(schema: Json, keywords: Json): void {
  for (const [name, value] of Object.entries(keywords)) {
    const old = schema[name];
    if ((name === "items" || name === "additionalProperties") && typeof old === "object" && old !== null)
      mergeKeywords(old as Json, value as Json);
    else schema[name] = value;
  }
}

/** Finishes one operation: title apart from text, rules of its request, media type of its stream, its errors. */
function finishOperation(operation: Operation, method: DescMethod): void {
  const comment = operation.summary ?? "";
  const [title = "", ...rest] = comment.replaceAll("\n", " ").split(/(?<=\.) /);
  operation.summary = title;
  if (rest.length > 0) operation.description = rest.join(" ");
  const mask = maskedMessage(method);
  for (const parameter of operation.parameters ?? []) {
    const field = method.input.fields.find(
      ({ jsonName }) => jsonName.toLowerCase() === parameter.name.replaceAll("_", "").toLowerCase(),
    );
    if (field !== undefined) mergeKeywords(parameter.schema, toKeywords(field, mask).keywords);
  }
  for (const { schema } of Object.values(operation.requestBody?.content ?? {}))
    constrainSchema(schema, method.input, true, mask);
  const ok = operation.responses["200"] as Operation["responses"][string];
  const isForRun = method.input.fields.some((field) => field.name === "run_id");
  const { reasons, responses } = toOperationErrors(comment, { hasBody: operation.requestBody !== undefined, isForRun });
  if (reasons.length > 0) operation["x-reasons"] = reasons;
  operation.responses = { "200": ok, ...(responses as Operation["responses"]) };
  if (method.methodKind !== "server_streaming" || ok.content === undefined) return;
  if (method.output.name === "ReadPayloadResponse") {
    ok.content = { "application/json": { schema: {} } };
    return;
  }
  ok.content = { "text/event-stream": ok.content["application/json"] };
  if (method.input.fields.some((field) => field.name === "cursor")) {
    const description = "Resumes after this event; the same as `cursor`.";
    operation.parameters?.push({ name: "Last-Event-ID", in: "header", description, schema: { type: "string" } });
  }
}

/** The shared responses that an operation refers to. */
function usedResponses(document: Document): Record<string, unknown> {
  const text = JSON.stringify(document.paths);
  return Object.fromEntries(
    Object.entries(toSharedResponses()).filter(([name]) => text.includes(`#/components/responses/${name}"`)),
  );
}

/** Messages that requests hold, at any depth. */
function messagesIn(root: DescMessage, found = new Set<string>()): Set<string> {
  for (const { message } of root.fields) {
    if (message === undefined || found.has(message.typeName)) continue;
    found.add(message.typeName);
    messagesIn(message, found);
  }
  return found;
}

/**
 * Gives the YAML text of the whole document. `merged` is the text of openapiv3-merge, `image` the descriptor set of the
 * contracts.
 * An operation that no method has is an error: then plugin and contracts do not fit.
 */
export function renderOpenapi(merged: string, image: Uint8Array): string {
  const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, image));
  const document = { ...(JSON.parse(merged) as Document), info: INFO };
  const methods = new Map<string, DescMethod>();
  for (const type of registry)
    if (type.kind === "service") for (const method of type.methods) methods.set(`${type.name}_${method.name}`, method);
  const inRequests = new Set([...methods.values()].flatMap(({ input }) => [...messagesIn(input)]));
  for (const [name, schema] of Object.entries(document.components.schemas)) {
    const message = registry.getMessage(name);
    if (message === undefined) continue;
    // What requests hold is closed, including payload references, which responses hold as well. What only responses
    // hold may get new fields.
    if (inRequests.has(name) || [...methods.values()].some(({ input }) => input.typeName === name))
      constrainSchema(schema, message, true);
  }
  for (const operation of Object.values(document.paths).flatMap((path) => Object.values(path))) {
    const method = methods.get(operation.operationId.replace(/_\d+$/, ""));
    if (method === undefined) throw new Error(`no method for operation ${operation.operationId}`);
    finishOperation(operation, method);
  }
  document.components.responses = usedResponses(document);
  for (const { paths, components } of [WORKFLOW_OPENAPI, ROUTING_OPENAPI, GOAL_OPENAPI]) {
    Object.assign(document.components.responses, components.responses);
    Object.assign(document.components.schemas, components.schemas);
    Object.assign(document.paths, paths);
  }
  const head = "# Generated from contracts/orchestrator and src/api/legacy by scripts/generate.sh; do not edit.\n";
  return head + stringify(document, { lineWidth: 0, aliasDuplicateObjects: false });
}
