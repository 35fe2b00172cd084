import type { DescMessage, Message } from "@bufbuild/protobuf";
import { create } from "@bufbuild/protobuf";
import { createValidator } from "@bufbuild/protovalidate";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { compileValidator } from "../../../../src/api/requests/validate.ts";
import { DecideApprovalRequestSchema } from "../../../../src/gen/orchestrator/v1/approval_service_pb.ts";
import { DropMessagesRequestSchema } from "../../../../src/gen/orchestrator/v1/dead_letter_service_pb.ts";
import { RegisterFlowRequestSchema } from "../../../../src/gen/orchestrator/v1/flow_service_pb.ts";
import { PutLimitRequestSchema } from "../../../../src/gen/orchestrator/v1/limit_service_pb.ts";
import { StartOperationRequestSchema } from "../../../../src/gen/orchestrator/v1/operation_service_pb.ts";
import { RunSchema } from "../../../../src/gen/orchestrator/v1/run_pb.ts";
import {
  ListRunsRequestSchema,
  ResumeRunRequestSchema,
  StartRunRequestSchema,
} from "../../../../src/gen/orchestrator/v1/run_service_pb.ts";
import { arbitraryMessage } from "../support/arbitrary-message.ts";
import { SERVICES } from "../support/services.ts";

const library = createValidator();

function isValid(desc: DescMessage, message: Message): boolean {
  const result = library.validate(desc, message);
  if (result.kind === "error") throw result.error;
  return result.kind === "valid";
}

/** Texts near the limits: long ones, wide ones, those that patterns refuse. */
const text = fc
  .oneof(
    fc.string({ maxLength: 20 }),
    fc.constantFrom(
      "",
      "a",
      "A-1._~",
      " ",
      "a b",
      "é",
      "😀".repeat(128),
      "😀".repeat(129),
      "x".repeat(128),
      "x".repeat(129),
      "x".repeat(256),
      "x".repeat(257),
      "x".repeat(1_025),
    ),
  )
  .filter((one) => !one.includes("\0"));

// Cause: a caller was shown the regular expression of the contract.
test("a text of the wrong form is answered in words", () => {
  const words = (desc: DescMessage, fields: object) =>
    compileValidator(desc)(create(desc, fields as never))?.map(({ field, description }) => `${field} ${description}`);
  expect(words(ListRunsRequestSchema, { orderBy: "name" })).toEqual([
    'order_by must be "create_time", "create_time asc", or "create_time desc"',
  ]);
  expect(words(StartRunRequestSchema, { flowId: "f", runId: "a b" })).toEqual([
    "run_id must start with a letter or a digit and contain only letters, digits, `.`, `_`, and `-`, at most 100 characters",
  ]);
});

describe("own verdicts are those of the rules of the contract", () => {
  const inputs = new Map(
    SERVICES.flatMap((service) => service.methods.map((method) => [method.input.typeName, method.input])),
  );
  for (const [name, desc] of inputs) {
    test(name, () => {
      const validate = compileValidator(desc);
      const property = fc.property(arbitraryMessage(desc, text), (message) => {
        expect(validate(message) === null).toBe(isValid(desc, message));
      });
      fc.assert(property, { numRuns: 150 });
    });
  }
});

const RATE = { count: 1, per: { seconds: 1n } };

/** What each rule takes and refuses, with the field that is named. */
const EXAMPLES: readonly {
  readonly desc: DescMessage;
  readonly good: object;
  readonly bad: object;
  readonly field: string;
}[] = [
  { desc: StartRunRequestSchema, good: { flowId: "a" }, bad: { flowId: "" }, field: "flow_id" },
  {
    desc: StartRunRequestSchema,
    good: { flowId: "a", version: "x".repeat(64) },
    bad: { flowId: "a", version: "x".repeat(65) },
    field: "version",
  },
  {
    desc: StartRunRequestSchema,
    good: { flowId: "a", requestId: "!~" },
    bad: { flowId: "a", requestId: "a b" },
    field: "request_id",
  },
  {
    desc: StartRunRequestSchema,
    good: { flowId: "a", runKeyPolicy: 3 },
    bad: { flowId: "a", runKeyPolicy: 4 },
    field: "run_key_policy",
  },
  {
    desc: StartRunRequestSchema,
    good: { flowId: "a", labels: { k: "v" } },
    bad: { flowId: "a", labels: { "-": "v" } },
    field: 'labels key "-"',
  },
  {
    desc: StartRunRequestSchema,
    good: { flowId: "a", labels: { k: "" } },
    bad: { flowId: "a", labels: { k: "x".repeat(257) } },
    field: 'labels["k"]',
  },
  {
    desc: StartRunRequestSchema,
    good: { flowId: "a", wait: { seconds: 50n } },
    bad: { flowId: "a", wait: { seconds: 51n } },
    field: "wait",
  },
  {
    desc: StartRunRequestSchema,
    good: { flowId: "a", wait: {} },
    bad: { flowId: "a", wait: { seconds: -1n } },
    field: "wait",
  },
  {
    desc: StartRunRequestSchema,
    good: { flowId: "a", runTimeout: { nanos: 1 } },
    bad: { flowId: "a", runTimeout: {} },
    field: "run_timeout",
  },
  {
    desc: StartRunRequestSchema,
    good: { flowId: "a", signals: [{ signalName: "s" }] },
    bad: { flowId: "a", signals: [{ signalName: "" }] },
    field: "signals[0].signal_name",
  },
  { desc: ListRunsRequestSchema, good: { pageSize: 0 }, bad: { pageSize: -1 }, field: "page_size" },
  {
    desc: ResumeRunRequestSchema,
    good: { runId: "r", holdKinds: [1] },
    bad: { runId: "r", holdKinds: [0] },
    field: "hold_kinds[0]",
  },
  {
    desc: DecideApprovalRequestSchema,
    good: { runId: "r", approvalId: "5", decision: 1 },
    bad: { runId: "r", approvalId: "5", decision: 0 },
    field: "decision",
  },
  {
    desc: RegisterFlowRequestSchema,
    good: { definition: { case: "source", value: "a" } },
    bad: {},
    field: "definition",
  },
  {
    desc: RegisterFlowRequestSchema,
    good: { definition: { case: "source", value: "é".repeat(524_288) } },
    bad: { definition: { case: "source", value: "é".repeat(524_289) } },
    field: "source",
  },
  ...[{}, { filter: "a", runIds: ["a"] }].map((bad) => ({
    desc: StartOperationRequestSchema,
    good: { action: 1, filter: "a", runIds: [] },
    bad: { action: 1, ...bad },
    field: "filter",
  })),
  ...[{}, { messageIds: ["a"], selector: {} }].map((bad) => ({
    desc: DropMessagesRequestSchema,
    good: { selector: {} },
    bad,
    field: "message_ids",
  })),
  { desc: PutLimitRequestSchema, good: { name: "a", rate: RATE }, bad: { name: "a" }, field: "max_concurrent" },
];

test("a limit may have both bounds", () => {
  const both = create(PutLimitRequestSchema, { name: "a", maxConcurrent: 1, rate: RATE });
  expect(compileValidator(PutLimitRequestSchema)(both)).toBeNull();
});

test.each(EXAMPLES)("a rule of $field takes the good and refuses the bad", ({ desc, good, bad, field }) => {
  const validate = compileValidator(desc);
  expect(validate(create(desc, good as never))).toBeNull();
  expect(validate(create(desc, bad as never))?.map((violation) => violation.field)).toEqual([field]);
  expect(isValid(desc, create(desc, bad as never))).toBe(false);
});

// Cause: the ranges of the well-known types were left to their JSON form, which gRPC does not pass.
test.each([
  [{ seconds: 1n, nanos: 999_999_999 }, null],
  [{ seconds: 1n, nanos: 1_000_000_000 }, "nanos is 1000000000; the maximum is 999999999"],
  [{ seconds: 1n, nanos: -1 }, "seconds and nanos have different signs"],
  [{ seconds: 2n ** 62n }, "seconds is 4611686018427387904; the maximum is 315576000000"],
])("a duration of %o is %s", (duration, description) => {
  for (const field of ["wait", "startDelay", "runTimeout"]) {
    const start = create(StartRunRequestSchema, { flowId: "a", [field]: duration });
    const found = compileValidator(StartRunRequestSchema)(start);
    expect(found?.map((violation) => violation.description) ?? null).toEqual(
      description === null ? null : [description],
    );
  }
});

test("a point in time is in the years 1 to 9999", () => {
  const validate = compileValidator(RunSchema);
  const verdict = (createTime: object): unknown => validate(create(RunSchema, { createTime }))?.[0]?.description;
  expect(verdict({ seconds: 253_402_300_799n, nanos: 999_999_999 })).toBeUndefined();
  expect(verdict({ seconds: -62_135_596_800n })).toBeUndefined();
  expect(verdict({ seconds: 253_402_300_800n })).toBe("is not in the years 1 to 9999");
  expect(verdict({ seconds: -62_135_596_801n })).toBe("is not in the years 1 to 9999");
  expect(verdict({ nanos: -1 })).toBe("nanos is -1; it must be from 0 to 999999999");
});

test("no text may hold NUL or half of a surrogate pair, whatever its rules are", () => {
  const validate = compileValidator(ListRunsRequestSchema);
  expect(validate(create(ListRunsRequestSchema, { filter: "a\0" }))?.[0]?.description).toContain("NUL");
  expect(validate(create(ListRunsRequestSchema, { pageToken: "\ud800" }))?.[0]?.description).toContain("surrogate");
});
