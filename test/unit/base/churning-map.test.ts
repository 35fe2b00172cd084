import { execFile } from "node:child_process";
import { promisify } from "node:util";
import fc from "fast-check";
import { expect, test } from "vitest";
import { ChurningMap } from "../../../src/base/churning-map.ts";

const change = fc.tuple(fc.constantFrom("set", "set", "set", "delete"), fc.nat(40), fc.nat());

test("holds what a map holds, in its order, however often entries come and go", () => {
  fc.assert(
    fc.property(fc.array(change, { maxLength: 600, size: "max" }), (changes) => {
      const real = new Map<number, number>();
      const churning = new ChurningMap<number, number>();
      for (const [kind, key, value] of changes) {
        if (kind === "set") {
          real.set(key, value);
          churning.set(key, value);
        } else {
          expect(churning.delete(key)).toBe(real.delete(key));
        }
        expect(churning.get(key)).toBe(real.get(key));
        expect(churning.has(key)).toBe(real.has(key));
        expect(churning.size).toBe(real.size);
      }
      expect([...churning.values()]).toEqual([...real.values()]);
    }),
    { numRuns: 50 },
  );
});

/**
 * Prints how much the heap of a map grows from 20,000 entries of 900 bytes, of which 100 live at any time, when only
 * the young heap is collected.
 */
const PROGRAM = `
const { ChurningMap } = await import(${JSON.stringify(new URL("../../../src/base/churning-map.ts", import.meta.url).href)});
const growth = (map) => {
  for (let entry = 0; entry < 100; entry++) map.set(entry, {});
  gc();
  const before = process.memoryUsage().heapUsed;
  for (let entry = 100; entry < 20_000; entry++) {
    map.set(entry, new Array(100).fill(entry));
    map.delete(entry - 100);
    if (entry % 500 === 0) gc({ type: "minor" });
  }
  gc({ type: "minor" });
  return process.memoryUsage().heapUsed - before;
};
console.log(JSON.stringify({ churning: growth(new ChurningMap()), plain: growth(new Map()) }));
`;

test("entries that went do not outlive the collections of the young heap, as those of a plain map do", async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [
    "--expose-gc",
    "--input-type=module",
    "--eval",
    PROGRAM,
  ]);
  const { churning, plain } = JSON.parse(stdout) as { churning: number; plain: number };
  // Of 18 MB. When the second fails, V8 has learned it, and the map can go.
  expect(churning).toBeLessThan(3_000_000);
  expect(plain).toBeGreaterThan(6_000_000);
});
