/**
 * Refusing a request costs no more than reading its bytes. Bodies of some megabytes that are hard to read are decoded
 * as a call would, and the time of the event loop that this takes is compared with that of `JSON.parse`, for the same
 * bytes or for a list of numbers of the same length, whichever takes longer.
 *
 * Cause: rules such as `max_pairs` were checked on the decoded message. 4 MB of labels, or of fields that the contract
 * does not have, took 2 s.
 */
import { describe, expect, it, test } from "vitest";
import { fromPayload, type PayloadInput } from "../../src/api/mapping/payload.ts";
import { readBinary, readJson, readJsonBody } from "../../src/api/requests/read-message.ts";
import { MAX_MASK_PATHS } from "../../src/api/requests/request-shape.ts";
import { compileValidator, mostOf } from "../../src/api/requests/validate.ts";
import { isOrchestratorError } from "../../src/base/errors.ts";
import {
  type BatchStartRunsRequest,
  BatchStartRunsRequestSchema,
  type StartRunRequest,
  StartRunRequestSchema,
} from "../../src/gen/orchestrator/v1/run_service_pb.ts";
import { REQUEST_MESSAGES } from "../contract/descriptors.ts";

const BYTES = 4_000_000;
const MAX_BYTES = 4_194_304;
const LIMITS = { maxPayloadBytes: 2_000_000, maxInlinePayloadBytes: 256_000, maxMessageBytes: MAX_BYTES };
/** How many times the reference a decoded and refused body may take. */
const MOST_REFERENCES = 12;

/** CPU time of this process, milliseconds, the best of three: what others take of the machine does not count. */
function measure(work: () => void): number {
  const once = (): number => {
    const before = process.cpuUsage();
    work();
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1_000;
  };
  return Math.min(once(), once(), once());
}

function referenceOf(text: string): number {
  const list = `[${"1,".repeat(text.length / 2)}1]`;
  const parse = (json: string) => (): void => {
    try {
      JSON.parse(json);
    } catch {
      // A text that is no JSON: the parser stops where it breaks.
    }
  };
  return Math.max(measure(parse(text)), measure(parse(list)));
}

const validate = compileValidator(StartRunRequestSchema);
const validateBatch = compileValidator(BatchStartRunsRequestSchema);

/** What the caller of StartRun hears: the code of the refusal, or OK. */
function outcomeOf(decode: () => StartRunRequest | BatchStartRunsRequest): string {
  try {
    const message = decode();
    const isStart = message.$typeName === "orchestrator.v1.StartRunRequest";
    if ((isStart ? validate : validateBatch)(message) !== null) return "INVALID_REQUEST";
    if (isStart) fromPayload((message as StartRunRequest).inputValue as PayloadInput, "input", {}, LIMITS);
    return "OK";
  } catch (error) {
    if (isOrchestratorError(error)) return error.code;
    throw error;
  }
}

/** Parts until the body is as large as it may be. */
function fill(part: (index: number) => string, bytes = BYTES): string {
  const parts: string[] = [];
  for (let size = 0, index = 0; size < bytes; index += 1) {
    const next = part(index);
    parts.push(next);
    size += next.length + 1;
  }
  return parts.join(",");
}

const start = (rest: string): string => `{"flow_id":"f",${rest}}`;
const long = "x".repeat(BYTES);

const JSON_BODIES: Readonly<Record<string, readonly [string, string]>> = {
  "350,000 labels": [start(`"labels":{${fill((at) => `"k${at}":"v"`)}}`), "INVALID_REQUEST"],
  "350,000 unknown fields": [start(fill((at) => `"k${at}":1`)), "INVALID_REQUEST"],
  "an unknown field behind a large input": [start(`"input":{${fill((at) => `"k${at}":1`)}},"no":1`), "INVALID_REQUEST"],
  "empty signals": [start(`"signals":[${fill(() => "{}")}]`), "INVALID_REQUEST"],
  "signals that are numbers": [start(`"signals":[${fill(() => "1")}]`), "INVALID_REQUEST"],
  "a list in place of a text": [`{"flow_id":[${fill(() => "1")}]}`, "INVALID_REQUEST"],
  "an object in place of a text": [`{"flow_id":{${fill((at) => `"k${at}":1`)}}}`, "INVALID_REQUEST"],
  "a list in place of labels": [start(`"labels":[${fill(() => "1")}]`), "INVALID_REQUEST"],
  "an object in place of signals": [start(`"signals":{${fill((at) => `"k${at}":{}`)}}`), "INVALID_REQUEST"],
  "a list in place of a message": [start(`"input_ref":[${fill(() => "1")}]`), "INVALID_REQUEST"],
  "a long text": [`{"flow_id":"${long}"}`, "INVALID_REQUEST"],
  "a long text of wide characters": [`{"flow_id":"${"😀".repeat(BYTES / 4)}"}`, "INVALID_REQUEST"],
  "a text of escapes": [`{"flow_id":"${"\\u0061".repeat(BYTES / 6)}"}`, "INVALID_REQUEST"],
  "a long mask": [start(`"read_mask":"${fill(() => "a_b")}"`), "INVALID_REQUEST"],
  "a long duration": [start(`"wait":"${"1".repeat(BYTES)}s"`), "INVALID_REQUEST"],
  "a long name of an enum": [start(`"run_key_policy":"${long}"`), "INVALID_REQUEST"],
  "deep lists": [start(`"input":{"a":${"[".repeat(BYTES / 2)}${"]".repeat(BYTES / 2)}}`), "INVALID_JSON"],
  "one key many times": [start(`"input":{${fill(() => '"k":1')}}`), "INVALID_JSON"],
  "a key twice, far apart": [start(`"input":{${fill((at) => `"k${at}":1`)},"k0":1}`), "INVALID_JSON"],
  "a text that breaks off": [start(`"input":{"a":[${fill(() => "1")}]`), "INVALID_JSON"],
  "empty lines before the fault": [start(`${"\n".repeat(BYTES)}x`), "INVALID_JSON"],
  "integers that no double holds": [start(`"input":{"a":[${fill(() => "12345678901234567890")}]}`), "INVALID_JSON"],
  "one number of 4 MB": [start(`"input":{"a":${"9".repeat(BYTES)}}`), "INVALID_JSON"],
  "an input of many keys": [start(`"input":{${fill((at) => `"k${at}":1`)}}`), "PAYLOAD_TOO_LARGE"],
  "an input of many numbers": [start(`"input":{"a":[${fill(() => "1e5")}]}`), "PAYLOAD_TOO_LARGE"],
  "an input of negative zeros": [start(`"input":{"a":[${fill(() => "-0")}]}`), "PAYLOAD_TOO_LARGE"],
  "an input of small objects": [start(`"input":{"a":[${fill(() => '{"a":{"b":[]}}')}]}`), "PAYLOAD_TOO_LARGE"],
  "a signal of many numbers": [
    start(`"signals":[{"signal_name":"a","data":[${fill(() => "1")}]}]`),
    "PAYLOAD_TOO_LARGE",
  ],
  "an input that is accepted": [start(`"input":{${fill((at) => `"k${at}":1`, 1_900_000)}}`), "OK"],
};

describe("JSON", () => {
  it.each(Object.entries(JSON_BODIES))("%s", (_name, [text, code]) => {
    const bytes = Buffer.from(text);
    const decode = () =>
      readJson(
        StartRunRequestSchema,
        readJsonBody(StartRunRequestSchema, bytes, 2 * MAX_BYTES),
        LIMITS.maxPayloadBytes,
      ) as StartRunRequest;
    expect(outcomeOf(decode)).toBe(code);
    expect(measure(() => outcomeOf(decode)) / referenceOf(text)).toBeLessThan(MOST_REFERENCES);
  });
});

/** A varint. */
function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest & 127) | 128);
  return Buffer.from([...bytes, rest]);
}

/** A field whose value has a length before it. */
const field = (number: number, bytes: Buffer): Buffer =>
  Buffer.concat([varint(number * 8 + 2), varint(bytes.length), bytes]);

function fillBytes(part: (index: number) => Buffer): Buffer {
  const parts: Buffer[] = [];
  for (let size = 0, index = 0; size < BYTES; index += 1) {
    const next = part(index);
    parts.push(next);
    size += next.length;
  }
  return Buffer.concat(parts);
}

function numberOf(name: string): number {
  return StartRunRequestSchema.fields.find((one) => one.name === name)?.number ?? 0;
}

const TRUE = Buffer.from([0x20, 1]);
/** An input `{"a": [...]}` whose list holds the bytes of `google.protobuf.Value`s. */
const inputOf = (values: Buffer): Buffer =>
  field(numberOf("input"), field(1, Buffer.concat([field(1, Buffer.from("a")), field(2, field(6, values))])));
const entry = (key: string, value: Buffer): Buffer => Buffer.concat([field(1, Buffer.from(key)), field(2, value)]);
const FLOW_ID = field(numberOf("flow_id"), Buffer.from("f"));

const BINARY_BODIES: Readonly<Record<string, readonly [Buffer, string]>> = {
  labels: [fillBytes((at) => field(numberOf("labels"), entry(`k${at}`, Buffer.from("v")))), "INVALID_REQUEST"],
  "empty labels": [fillBytes(() => field(numberOf("labels"), Buffer.alloc(0))), "INVALID_REQUEST"],
  "unknown numbers": [Buffer.concat([FLOW_ID, fillBytes(() => Buffer.from([0xf8, 0x07, 1]))]), "OK"],
  "unknown texts": [Buffer.concat([FLOW_ID, fillBytes(() => field(100, Buffer.from("a")))]), "OK"],
  groups: [fillBytes(() => varint(100 * 8 + 3)), "REQUEST_MALFORMED"],
  signals: [fillBytes(() => field(numberOf("signals"), Buffer.alloc(0))), "INVALID_REQUEST"],
  "paths of a mask": [
    field(
      numberOf("read_mask"),
      fillBytes(() => field(1, Buffer.from("a"))),
    ),
    "INVALID_REQUEST",
  ],
  "a field many times": [fillBytes(() => FLOW_ID), "OK"],
  "a message many times": [fillBytes(() => field(numberOf("wait"), Buffer.from([8, 1]))), "INVALID_REQUEST"],
  "a long text": [field(numberOf("flow_id"), Buffer.from(long)), "INVALID_REQUEST"],
  "bytes that are no text": [field(numberOf("flow_id"), Buffer.alloc(BYTES, 0xff)), "REQUEST_MALFORMED"],
  "an input of flags": [inputOf(fillBytes(() => field(1, TRUE))), "PAYLOAD_TOO_LARGE"],
  "an input of nothing": [inputOf(fillBytes(() => field(1, Buffer.alloc(0)))), "PAYLOAD_TOO_LARGE"],
  "an input of keys": [
    field(
      numberOf("input"),
      fillBytes((at) => field(1, entry(`k${at}`, TRUE))),
    ),
    "PAYLOAD_TOO_LARGE",
  ],
};

describe("Protobuf", () => {
  it.each(Object.entries(BINARY_BODIES))("%s", (_name, [bytes, code]) => {
    const decode = () => readBinary(StartRunRequestSchema, bytes, LIMITS.maxPayloadBytes) as StartRunRequest;
    expect(outcomeOf(decode)).toBe(code);
    const reference = referenceOf("1".repeat(bytes.length));
    expect(measure(() => outcomeOf(decode)) / reference).toBeLessThan(MOST_REFERENCES);
  });
});

test("limits hold in the parts of a request as well, in both forms, and name the place", () => {
  const labels = Object.fromEntries(Array.from({ length: 33 }, (_, at) => [`k${at}`, "v"]));
  const text = JSON.stringify({ requests: [{ flow_id: "f" }, { flow_id: "f", labels }] });
  expect(() => readJsonBody(BatchStartRunsRequestSchema, Buffer.from(text), MAX_BYTES)).toThrow(
    "requests[1].labels: has more than 32 entries",
  );
  const pairs = Buffer.concat(
    Object.keys(labels).map((key) => field(numberOf("labels"), entry(key, Buffer.from("v")))),
  );
  const bytes = Buffer.concat([field(1, FLOW_ID), field(1, pairs)]);
  expect(() => readBinary(BatchStartRunsRequestSchema, bytes, LIMITS.maxPayloadBytes)).toThrow(
    "requests[1].labels: has more than 32 entries",
  );
});

test("whatever may stand many times in a request has a limit", () => {
  const unbounded = REQUEST_MESSAGES.flatMap((message) => message.fields)

    .filter((one) => one.fieldKind === "list" || one.fieldKind === "map")
    .filter((one) => !Number.isFinite(mostOf(one)))
    .map((one) => one.toString());
  expect(unbounded).toEqual([]);
  expect(MAX_MASK_PATHS).toBeGreaterThan(100);
});
