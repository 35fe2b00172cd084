/** Time per character does not grow with the length of a text, whatever the text is. Only ratios of CPU time count. */
import { expect, test } from "vitest";
import { HOSTILE_TEXTS } from "../../../../bench/workloads/gate/texts.ts";
import { createContentScanner } from "../../../../src/guards/content/scan.ts";

const scanner = createContentScanner();

/** Least time of a scan, of several rounds, ms. */
function timeOf(text: string): number {
  let least = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 5; round++) {
    const began = performance.now();
    scanner.scan(text, { withIp: true });
    least = Math.min(least, performance.now() - began);
  }
  return least;
}

test.each(Object.entries(HOSTILE_TEXTS))("%s", { timeout: 60_000, retry: 2 }, (_, repeated) => {
  const textOf = (length: number): string => repeated.repeat(Math.ceil(length / repeated.length)).slice(0, length);
  const [short, long] = [textOf(16_384), textOf(262_144)];
  for (let round = 0; round < 10; round++) scanner.scan(short, { withIp: true });
  // Sixteen times the length: a quadratic rule takes 256 times as long.
  expect(timeOf(long) / timeOf(short)).toBeLessThan(64);
});
