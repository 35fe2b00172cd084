/** Makes `contracts/openapi.yaml` of the documents of protoc-gen-openapiv3 and of the validation rules, which that plugin leaves out. */
import {
  createFileRegistry,
  type DescMessage,
  type DescMethod,
  fromBinary,
  getOption,
  hasOption,
} from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { type FieldRules, field as fieldRules } from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";
import { stringify } from "yaml";

type Json = Record<string, unknown>;
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
  components: { schemas: Record<string, Schema> };
}

const INFO = {
  title: "Orchestrator",
  version: "v1",
  description:
    "REST form of the contract in contracts/orchestrator. Names are lowerCamelCase, 64-bit integers are strings, bytes are base64, " +
    "times are RFC 3339, durations are seconds with the suffix `s`. Errors are google.rpc.Status with an ErrorInfo.",
  license: { name: "MIT", identifier: "MIT" },
};

/** Keywords of JSON Schema that say what the rules of a field say; the fields of zero value that a rule refuses become required. */
function toKeywords(rules: FieldRules): { keywords: Json; required: boolean } {
  const { type } = rules;
  const keywords: Json = {};
  let required = rules.required;
  const put = (name: string, value: bigint | number | string | undefined, unset: bigint | number | string): void => {
    if (value !== undefined && value !== unset) keywords[name] = typeof value === "bigint" ? Number(value) : value;
  };
  if (type.case === "string") {
    put("minLength", type.value.minLen, 0n);
    put("maxLength", type.value.maxLen, 0n);
    put("pattern", type.value.pattern, "");
    required ||= type.value.minLen > 0n || (type.value.pattern !== "" && !new RegExp(type.value.pattern).test(""));
  } else if (type.case === "bytes") {
    if (type.value.maxLen > 0n) keywords.maxLength = Math.ceil(Number(type.value.maxLen) / 3) * 4;
  } else if (type.case === "int32") {
    if (type.value.greaterThan.case === "gte") keywords.minimum = type.value.greaterThan.value;
  } else if (type.case === "repeated") {
    put("minItems", type.value.minItems, 0n);
    put("maxItems", type.value.maxItems, 0n);
    required ||= type.value.minItems > 0n;
  } else if (type.case === "map") {
    put("maxProperties", type.value.maxPairs, 0n);
    if (type.value.keys) keywords.propertyNames = toKeywords(type.value.keys).keywords;
  } else if (type.case === "enum") {
    required ||= type.value.notIn.includes(0);
  }
  return { keywords, required };
}

/** Rules of the fields of a message by their JSON name. */
function readRules(message: DescMessage): Map<string, ReturnType<typeof toKeywords>> {
  const rules = message.fields.map((field) => {
    const own = hasOption(field, fieldRules)
      ? toKeywords(getOption(field, fieldRules))
      : { keywords: {}, required: false };
    return [field.jsonName, { ...own, required: own.required && field.oneof === undefined }] as const;
  });
  return new Map(rules);
}

/** Adds the rules of a message to its schema. */
function constrainSchema(schema: Schema, message: DescMessage): void {
  const required = new Set(schema.required);
  for (const [name, rule] of readRules(message)) {
    const property = schema.properties?.[name];
    if (property === undefined) continue;
    const { propertyNames, ...keywords } = rule.keywords;
    Object.assign(property, keywords, propertyNames === undefined ? {} : { propertyNames });
    if (rule.required) required.add(name);
  }
  if (required.size > 0) schema.required = [...required].sort();
}

/** Finishes one operation: title apart from text, rules of its request, media type of its stream. */
function finishOperation(operation: Operation, method: DescMethod): void {
  const [title = "", ...rest] = (operation.summary ?? "").replaceAll("\n", " ").split(/(?<=\.) /);
  operation.summary = title;
  if (rest.length > 0) operation.description = rest.join(" ");
  const rules = readRules(method.input);
  for (const parameter of operation.parameters ?? []) {
    const name = [...rules.keys()].find(
      (key) => key.toLowerCase() === parameter.name.replaceAll("_", "").toLowerCase(),
    );
    Object.assign(parameter.schema, name === undefined ? {} : rules.get(name)?.keywords);
  }
  for (const { schema } of Object.values(operation.requestBody?.content ?? {})) constrainSchema(schema, method.input);
  const ok = operation.responses["200"];
  if (method.methodKind !== "server_streaming" || ok?.content === undefined) return;
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

/**
 * Gives the YAML text of the whole document. `merged` is the text of openapiv3-merge, `image` the descriptor set of the contracts.
 * An operation that no method has is an error: then plugin and contracts do not fit.
 */
export function renderOpenapi(merged: string, image: Uint8Array): string {
  const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, image));
  const document = { ...(JSON.parse(merged) as Document), info: INFO };
  const methods = new Map<string, DescMethod>();
  for (const type of registry) {
    if (type.kind === "message" && document.components.schemas[type.typeName]) {
      constrainSchema(document.components.schemas[type.typeName] as Schema, type);
    }
    if (type.kind === "service") for (const method of type.methods) methods.set(`${type.name}_${method.name}`, method);
  }
  for (const operation of Object.values(document.paths).flatMap((path) => Object.values(path))) {
    const method = methods.get(operation.operationId.replace(/_\d+$/, ""));
    if (method === undefined) throw new Error(`no method for operation ${operation.operationId}`);
    finishOperation(operation, method);
  }
  const head = "# Generated from contracts/orchestrator by scripts/generate.sh; do not edit.\n";
  return head + stringify(document, { lineWidth: 0, aliasDuplicateObjects: false });
}
