import { expect, test } from "vitest";
import { createSampler } from "../../../../src/telemetry/traces/sampler.ts";

const LOW = "0000000000000000000000000000000f";
const HIGH = "0000000000000000000fffffffffffff";
const caller = (flags: string): string => `00-${HIGH}-00f067aa0ba902b7-${flags}`;

test("samplers without a parent decide by themselves, whatever the caller says", () => {
  expect(createSampler("always_on", 0)(HIGH, caller("00"))).toBe(true);
  expect(createSampler("always_off", 1)(LOW, caller("01"))).toBe(false);
  expect(createSampler("traceidratio", 0.5)(HIGH, caller("01"))).toBe(false);
});

test("samplers with a parent follow a caller that names a trace", () => {
  const sampler = createSampler("parentbased_always_off", 1);
  expect(sampler(LOW, caller("01"))).toBe(true);
  expect(sampler(LOW, caller("00"))).toBe(false);
  expect(sampler(LOW, undefined)).toBe(false);
  expect(createSampler("parentbased_always_on", 1)(LOW, undefined)).toBe(true);
});

test("a ratio takes its share of traces, none at 0 and all at 1", () => {
  const share = (ratio: number): readonly boolean[] =>
    [LOW, HIGH].map((id) => createSampler("parentbased_traceidratio", ratio)(id, undefined));
  expect(share(0)).toEqual([false, false]);
  expect(share(0.01)).toEqual([true, false]);
  expect(share(1)).toEqual([true, true]);
});
