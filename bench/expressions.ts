/**
 * Microseconds per evaluation of common expressions: `node bench/expressions.ts`. With the folder of another checkout
 * as argument, both are measured alternately, and the last column shows how much slower this one is.
 */
import { pathToFileURL } from "node:url";

const CASES: readonly (readonly [string, string])[] = [
  ["path", "${tasks.a.output.n}"],
  ["sum", "${tasks.a.output.n + 1}"],
  ["comparison", "${vars.amount > 100}"],
  ["condition", '${vars.amount > 100 && vars.kind == "card"}'],
  ["choice", '${vars.kind == "card" ? vars.amount * 2 : 0}'],
  ["text", '${"Order " + vars.id + " of " + vars.kind}'],
  ["interpolation", "Order ${vars.id} of ${vars.amount}"],
  ["has", "${has(tasks.a.output.n) && tasks.a.output.n > 3}"],
  ["string functions", '${vars.kind.upperAscii().replace("A", "-").contains("-")}'],
  ["filter of 10", "${vars.rows.filter(r, r.price > 5).map(r, r.price)}"],
  ["exists in 10", "${vars.rows.exists(r, r.name == 'n9')}"],
  ["map of 1,000", "${vars.many.map(x, x * 2)}"],
];

const rows = Array.from({ length: 10 }, (_, index) => ({ name: `n${index}`, price: index }));
const vars = { amount: 250, kind: "card", id: "o-17", rows, many: Array.from({ length: 1_000 }, (_, index) => index) };
const task = { output: { n: 41 }, outputs: null, state: "COMPLETED", error: null, attempt: 1 };
const scope = { vars, run: {}, task: () => task, now: 0 };
const names = { variables: new Set(Object.keys(vars)), tasks: new Set(["a"]) };

type Evaluate = () => unknown;

/** Compiles the cases with the code of a checkout. */
async function compileCases(root: URL): Promise<Evaluate[]> {
  const { compileTemplate } = (await import(new URL("src/flows/interpolation/template.ts", root).href)) as {
    compileTemplate(value: string, known: typeof names): { template: { evaluate(given: typeof scope): unknown } };
  };
  return CASES.map(([, source]) => {
    const { template } = compileTemplate(source, names);
    return () => template.evaluate(scope);
  });
}

function measure(evaluate: Evaluate, count: number): number {
  const start = process.cpuUsage();
  for (let round = 0; round < count; round++) evaluate();
  const { user, system } = process.cpuUsage(start);
  return (user + system) / count;
}

const here = await compileCases(new URL("../", import.meta.url));
const [, , otherFolder] = process.argv;
const other = otherFolder === undefined ? null : await compileCases(pathToFileURL(`${otherFolder}/`));

for (const [index, [name]] of CASES.entries()) {
  const count = name.includes("1,000") ? 300 : 20_000;
  const best = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  for (let round = 0; round < 10; round++) {
    for (const [side, cases] of [here, other].entries()) {
      if (cases !== null) best[side] = Math.min(best[side] as number, measure(cases[index] as Evaluate, count));
    }
  }
  const [mine = 0, theirs = 0] = best;
  const compared = other === null ? "" : `${theirs.toFixed(2).padStart(10)}${(mine / theirs).toFixed(2).padStart(8)}`;
  process.stdout.write(`${name.padEnd(20)}${mine.toFixed(2).padStart(10)} µs${compared}\n`);
}
