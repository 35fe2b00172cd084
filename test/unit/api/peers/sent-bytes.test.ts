import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { sentSizeOf, toSentBytes } from "../../../../src/api/peers/sent-bytes.ts";
import { TakeReportsRequestSchema } from "../../../../src/gen/orchestrator/peer/v1/peer_service_pb.ts";
import { StartRunRequestSchema } from "../../../../src/gen/orchestrator/v1/run_service_pb.ts";

const digits = Array.from({ length: 10_000 }, (_, index) => index % 10);
const value = (numberValue: number) => ({ kind: { case: "numberValue" as const, value: numberValue } });
const list = (values: readonly number[]) => ({
  kind: { case: "listValue" as const, value: { values: values.map(value) } },
});

/** Room for the text, and not for the message. */
const LIMIT = 60_000;

test("a request that fits is sent as it came", () => {
  const request = create(StartRunRequestSchema, { flowId: "f", inputValue: { case: "input", value: { digits } } });
  expect(toSentBytes(StartRunRequestSchema, request, 1_000_000)).toEqual(toBinary(StartRunRequestSchema, request));
});

test("payloads of a large request travel as JSON text, at every depth of the message", () => {
  const request = create(StartRunRequestSchema, {
    flowId: "f",
    runId: "r",
    labels: { team: "billing" },
    inputValue: { case: "input", value: { digits, nothing: null, 'a "quoted" key': -0.5 } },
    signals: [{ signalName: "go", dataValue: { case: "data", value: list(digits) } }],
  });
  const bytes = toSentBytes(StartRunRequestSchema, request, LIMIT);
  expect(bytes.length).toBe(sentSizeOf(StartRunRequestSchema, request));
  const { inputValue, signals, ...rest } = fromBinary(StartRunRequestSchema, bytes);
  expect(rest).toMatchObject({ flowId: "f", runId: "r", labels: { team: "billing" } });
  const textOf = (payload: { readonly value?: unknown }) => JSON.parse(Buffer.from(payload.value as never).toString());
  expect(inputValue.case).toBe("inputJson");
  expect(textOf(inputValue)).toEqual({ digits, nothing: null, 'a "quoted" key': -0.5 });
  expect(signals.map(({ dataValue }) => dataValue.case)).toEqual(["dataJson"]);
  // The caller still has its request.
  expect(request.inputValue.case).toBe("input");
});

test("outputs in reports do so too", () => {
  const succeeded = { outputValue: { case: "output" as const, value: list(digits) } };
  const request = create(TakeReportsRequestSchema, {
    sessionId: "s",
    reports: [{ taskToken: "t", event: { case: "succeeded", value: succeeded } }],
  });
  const [report] = fromBinary(TakeReportsRequestSchema, toSentBytes(TakeReportsRequestSchema, request, LIMIT)).reports;
  expect(report?.event.value).toMatchObject({ outputValue: { case: "outputJson" } });
});

test("a value that its text would change stays a message; what does not fit is refused", () => {
  for (const odd of [2 ** 60, Number.NaN, Number.POSITIVE_INFINITY]) {
    const request = create(StartRunRequestSchema, {
      flowId: "f",
      signals: [{ signalName: "go", dataValue: { case: "data", value: list([odd]) } }],
      inputValue: { case: "input", value: { digits } },
    });
    const sent = fromBinary(StartRunRequestSchema, toSentBytes(StartRunRequestSchema, request, LIMIT));
    expect(sent.inputValue.case).toBe("inputJson");
    expect(sent.signals[0]?.dataValue).toMatchObject({ case: "data", value: list([odd]) });
  }
  const large = create(StartRunRequestSchema, { flowId: "f", inputValue: { case: "input", value: { digits } } });
  expect(() => toSentBytes(StartRunRequestSchema, large, 10_000)).toThrow(
    expect.objectContaining({ code: "MESSAGE_TOO_LARGE", details: { direction: "request", limit: 10_000 } }),
  );
});
