/** Time per character does not grow with the length of a text, whatever the text is. */
import { expect, test } from "vitest";
import { HOSTILE_TEXTS } from "../../../../bench/workloads/gate/texts.ts";
import { createContentScanner } from "../../../../src/guards/content/scan.ts";

const scanner = createContentScanner();

/** Sixteen times the length: a quadratic rule takes 256 times as long. */
const [SHORT, TIMES] = [16_384, 16];

/** Time of so many scans, ms. */
function timeOf(text: string, scans: number): number {
  const began = performance.now();
  for (let scan = 0; scan < scans; scan++) scanner.scan(text, { withIp: true });
  return performance.now() - began;
}

test.each(Object.entries(HOSTILE_TEXTS))("%s", { timeout: 60_000, retry: 2 }, (_, repeated) => {
  const textOf = (length: number): string => repeated.repeat(Math.ceil(length / repeated.length)).slice(0, length);
  const [short, long] = [textOf(SHORT), textOf(TIMES * SHORT)];
  for (let round = 0; round < 10; round++) scanner.scan(short, { withIp: true });
  // Both read as many characters, in turn, so that what else the machine does hits both; the least times count.
  const times = Array.from({ length: 8 }, () => [timeOf(short, TIMES), timeOf(long, 1)] as const);
  const least = (which: 0 | 1): number => Math.min(...times.map((pair) => pair[which]));
  expect(least(1) / least(0)).toBeLessThan(4);
});
