/** Numbers of the pages about sizes are those of the benchmark, and their arithmetic is right. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { listTables, readFigureRows, renderSizingFiles } from "../../scripts/sizing-docs.ts";

const PAGE = "docs/operate/sizing.md";

/** Differences of the sizes of two processes that are nothing within their precision. */
const NOTHING = new Set(["waiting.parkedAddedBytes", "waiting-tasks.restartedBytes"]);

const UNITS: Readonly<Record<string, number>> = {
  "": 1,
  ms: 1,
  µs: 1,
  "%": 0.01,
  bytes: 1,
  KB: 1_024,
  MB: 1_048_576,
};

/** The number of a cell in the unit of its figure: `6 KB` is 6,144. */
function toNumber(cell: string): number {
  const [, digits = "", unit = ""] = /^([\d.,]+) ?(\D*)$/.exec(cell) ?? [];
  return Number(digits.replaceAll(",", "")) * (UNITS[unit] ?? Number.NaN);
}

/** The value of `2 × 6 + 4 ÷ 2`. */
function calculate(text: string): number {
  const numbers = (part: string): number[] => part.split(/[×÷]/).map((number) => Number(number.replaceAll(",", "")));
  return text.split("+").reduce((sum, part) => {
    const signs = part.match(/[×÷]/g) ?? [];
    return sum + numbers(part).reduce((value, number, i) => (signs[i - 1] === "÷" ? value / number : value * number));
  }, 0);
}

test("the pages have the newest figures of the benchmark (node scripts/sizing-docs.ts)", () => {
  for (const [path, content] of Object.entries(renderSizingFiles()))
    expect(readFileSync(path, "utf8"), path).toBe(content);
});

test("what to plan with is on the safe side of what was measured, and not far from it", () => {
  const planned = readFigureRows(readFileSync(PAGE, "utf8")).flatMap(({ figure, cells }) => {
    const plan = cells["plan with"];
    return plan === undefined ? [] : [{ ...figure, plan, ratio: toNumber(plan) / figure.value }];
  });
  expect(planned.length).toBeGreaterThan(15);
  const wrong = planned.filter(
    ({ name, ratio }) => !(NOTHING.has(name) ? Math.abs(ratio) >= 1 : ratio >= 1 && ratio <= 4),
  );
  expect(wrong).toEqual([]);
});

test("the example is calculated right, with the numbers to plan with", () => {
  const page = readFileSync(PAGE, "utf8");
  const plans = new Map(
    readFigureRows(page).map(({ figure, cells }) => [figure.name, cells["plan with"]?.replace(/ \D+$/, "") ?? ""]),
  );
  const rows = listTables(page).find(({ head }) => head.includes("how"))?.rows ?? [];
  expect(rows.length).toBeGreaterThan(10);
  for (const [what, how = "", from = ""] of rows) {
    const [left = "", right = ""] = how.split(" = ");
    // Two digits are enough for a plan.
    expect(calculate(left) / calculate(right), what).toBeCloseTo(1, 1);
    const numbers = left.split(/ [×÷+] /);
    if (from !== "") expect(numbers, what).toContain(plans.get(from.replaceAll("`", "")));
  }
});
