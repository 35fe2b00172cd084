import { type DescField, getOption } from "@bufbuild/protobuf";
import { field as fieldRules } from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";
import { expect, test } from "vitest";
import { FieldBehavior, field_behavior } from "../../src/gen/google/api/field_behavior_pb.ts";
import { FILES, MESSAGES, METHODS, REQUEST_MESSAGES } from "./descriptors.ts";

const { OPTIONAL, REQUIRED, OUTPUT_ONLY } = FieldBehavior;
const nameOf = (field: DescField): string => `${field.parent.typeName}.${field.name}`;
const behaviorOf = (field: DescField): readonly number[] => getOption(field, field_behavior);
const REQUEST_FIELDS = REQUEST_MESSAGES.flatMap((message) => message.fields);

/** Fields of requests that the service sets and ignores in requests: the facts of a stored payload. */
const SET_BY_SERVICE = ["orchestrator.v1.PayloadRef.size_bytes", "orchestrator.v1.PayloadRef.content_type"];

/** Whether the rules of a field refuse its zero value. */
function refusesZero(field: DescField): boolean {
  const { required, type } = getOption(field, fieldRules);
  if (field.oneof !== undefined) return false;
  if (required) return true;
  switch (type.case) {
    case "string":
      return type.value.minLen > 0n || (type.value.pattern !== "" && !new RegExp(type.value.pattern).test(""));
    case "bytes":
      return type.value.minLen > 0n;
    case "repeated":
      return type.value.minItems > 0n;
    case "int32":
      // One that need not be there is no 0 when it is not.
      return !field.proto.proto3Optional && type.value.greaterThan.case === "gte" && type.value.greaterThan.value > 0;
    case "enum":
      return type.value.notIn.includes(0);
    default:
      return false;
  }
}

test("every field of a request says whether it is required", () => {
  expect(REQUEST_FIELDS.length).toBeGreaterThan(100);
  const wrong = REQUEST_FIELDS.filter((field) => {
    const wanted = SET_BY_SERVICE.includes(nameOf(field)) ? OUTPUT_ONLY : refusesZero(field) ? REQUIRED : OPTIONAL;
    return behaviorOf(field).join() !== String(wanted);
  });
  expect(wrong.map(nameOf)).toEqual([]);
});

test("every field that only the service sets is output only", () => {
  const requests = new Set(REQUEST_MESSAGES);
  const responses = new Set(METHODS.map(([, method]) => method.output));
  const shown = MESSAGES.filter(
    (message) =>
      !requests.has(message) && !responses.has(message) && !message.typeName.startsWith("orchestrator.options."),
  );
  expect(shown.length).toBeGreaterThan(25);
  const wrong = shown
    .flatMap((message) => message.fields)
    .filter((field) => behaviorOf(field).join() !== `${OUTPUT_ONLY}`);
  expect(wrong.map(nameOf)).toEqual([]);
});

test("every file names its packages for generators that have no defaults", () => {
  for (const { proto } of FILES) {
    const { options } = proto;
    const name = proto.package.split(".").slice(1);
    const alias = name.length === 1 ? `orchestrator${name[0]}` : name.join("");
    expect(options?.goPackage, proto.name).toBe(`orchestrator.internal/client/${name.join("/")};${alias}`);
    expect(options?.javaPackage, proto.name).toBe(proto.package);
    expect(options?.javaMultipleFiles, proto.name).toBe(true);
    expect(options?.csharpNamespace.toLowerCase(), proto.name).toBe(proto.package);
  }
});
