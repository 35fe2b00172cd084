import { expect, test } from "vitest";
import { attemptSpanIdOf, contextOfAttempt, traceIdOf } from "../../../../src/base/traces/run-trace.ts";
import { parseTraceparent, readTraceContext } from "../../../../src/base/traces/trace-context.ts";

const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN = "00f067aa0ba902b7";

test("a traceparent of this version is read whole, one of a later version as far as it is known", () => {
  expect(parseTraceparent(`00-${TRACE}-${SPAN}-01`)).toEqual({ traceId: TRACE, spanId: SPAN, sampled: true });
  expect(parseTraceparent(`cc-${TRACE}-${SPAN}-02-more`)).toEqual({ traceId: TRACE, spanId: SPAN, sampled: false });
});

test.each([
  ["another length", `00-${TRACE}-${SPAN}-01-more`],
  ["the version that is none", `ff-${TRACE}-${SPAN}-01`],
  ["capitals", `00-${TRACE.toUpperCase()}-${SPAN}-01`],
  ["a trace of zeros", `00-${"0".repeat(32)}-${SPAN}-01`],
  ["a span of zeros", `00-${TRACE}-${"0".repeat(16)}-01`],
  ["a line break", `00-${TRACE}-${SPAN}-01\n`],
  ["nothing", ""],
])("a traceparent with %s is none", (_, text) => {
  expect(parseTraceparent(text)).toBeNull();
});

test("a tracestate that nobody need pass on is dropped, and the position kept", () => {
  const read = (state: string) =>
    readTraceContext((name) => (name === "tracestate" ? state : `00-${TRACE}-${SPAN}-01`))?.tracestate;
  expect(read("a=1,b=2")).toBe("a=1,b=2");
  expect(read("a".repeat(513))).toBe("");
  expect(read("a=\u0001")).toBe("");
});

test("ids follow from run, start, path, generation, and attempt, and differ with each of them", () => {
  const run = { runId: "order-1", createdAt: 1 };
  const attempt = { path: "pay", generation: 0, attempt: 1 };
  expect(attemptSpanIdOf(run, attempt)).toBe(attemptSpanIdOf({ ...run }, { ...attempt }));
  const ids = [
    attemptSpanIdOf(run, attempt),
    attemptSpanIdOf({ ...run, createdAt: 2 }, attempt),
    attemptSpanIdOf(run, { ...attempt, path: "pay.0" }),
    attemptSpanIdOf(run, { ...attempt, generation: 1 }),
    attemptSpanIdOf(run, { ...attempt, attempt: 2 }),
  ];
  expect(new Set(ids).size).toBe(ids.length);
  expect(traceIdOf(run)).toMatch(/^[0-9a-f]{32}$/);
});

test("an attempt hands on its own span, or what its caller said if the start was not traced", () => {
  const run = { runId: "order-1", createdAt: 1 };
  const attempt = { path: "pay", generation: 0, attempt: 1 };
  const caller = `00-${TRACE}-${SPAN}-01`;
  expect(contextOfAttempt({ ...run, trace: undefined }, attempt)).toBeNull();
  expect(contextOfAttempt({ ...run, trace: { caller } }, attempt)?.traceparent).toBe(caller);
  expect(contextOfAttempt({ ...run, trace: { caller, sampled: false, state: "a=1" } }, attempt)).toEqual({
    traceparent: `00-${traceIdOf(run)}-${attemptSpanIdOf(run, attempt)}-00`,
    tracestate: "a=1",
  });
});
