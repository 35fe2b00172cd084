/** Time per character does not grow with the length of a text, whatever the text is. Only ratios of CPU time count. */
import { expect, test } from "vitest";
import { HOSTILE_TEXTS } from "../../../../bench/workloads/gate/texts.ts";
import { createContentScanner } from "../../../../src/guards/content/scan.ts";

const scanner = createContentScanner();

/** Sixteen times the length: a quadratic rule takes 256 times as long. */
const [SHORT, TIMES] = [16_384, 16];

/** Least CPU time of so many scans, of several rounds, µs. */
function timeOf(text: string, scans: number): number {
  let least = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 5; round++) {
    const began = process.threadCpuUsage();
    for (let scan = 0; scan < scans; scan++) scanner.scan(text, { withIp: true });
    const { user, system } = process.threadCpuUsage(began);
    least = Math.min(least, user + system);
  }
  return least;
}

test.each(Object.entries(HOSTILE_TEXTS))("%s", { timeout: 60_000, retry: 2 }, (_, repeated) => {
  const textOf = (length: number): string => repeated.repeat(Math.ceil(length / repeated.length)).slice(0, length);
  const [short, long] = [textOf(SHORT), textOf(TIMES * SHORT)];
  for (let round = 0; round < 10; round++) scanner.scan(short, { withIp: true });
  expect(timeOf(long, 1) / timeOf(short, TIMES)).toBeLessThan(4);
});
