/**
 * Share of the checks in reading a journal: `node bench/row-checks.ts`. With the folder of another checkout as
 * argument, both are measured alternately on the same rows.
 *
 * The rows come from the engine in process. A round reads each journal as the service does: it parses the rows, checks
 * the records, and folds them. The output is the median over the rounds of microseconds per record, and of the share of
 * the checks.
 */
import { rmSync } from "node:fs";
import { mkdir, readFile } from "node:fs/promises";
import { pathToFileURL } from "node:url";
import { parseStoredJson } from "../src/base/json/json-stored.ts";
import { foldJournal } from "../src/engine/machine/apply.ts";
import { recordsProblem } from "../src/engine/machine/check-record.ts";
import type { JournalRecord } from "../src/engine/machine/records.ts";
import { median } from "./harness/load.ts";
import { openBenchPostgres } from "./harness/postgres.ts";
import { chooseWorkFolder } from "./harness/work-folder.ts";
import { type BenchEngine, openBenchEngine } from "./workloads/open-engine.ts";

const WAIT_MS = 60_000;
const ROUNDS = 300;
/** Records of each journal per round; short journals are read more than once. */
const RECORDS_A_ROUND = 4_000;

type Check = (records: unknown, sequence: number) => string | null;

const COUNTING_STATES = {
  id: "states",
  name: "states",
  workflow: {
    initial: "count",
    states: [
      {
        id: "count",
        task: { type: "noop", parameters: { output: "${tasks.keep.output == null ? 1 : tasks.keep.output + 1}" } },
        transitions: [{ when: "${tasks.count.output >= 34}", to: "done" }, { to: "keep" }],
      },
      {
        id: "keep",
        task: { type: "noop", parameters: { output: "${tasks.count.output}" } },
        transitions: [{ to: "count" }],
      },
      { id: "done", final: "completed" },
    ],
  },
};

const MAP = {
  id: "map",
  name: "map",
  variables: [{ name: "items", type: "array", required: true }],
  workflow: { tasks: [{ id: "all", type: "map", parameters: { items: "${items}", task: { type: "noop" } } }] },
};

interface Rows {
  readonly name: string;
  readonly runId: string;
  readonly texts: readonly string[];
  readonly count: number;
}

/** Journals of three kinds of runs, written by the engine. */
async function writeJournals(): Promise<readonly Rows[]> {
  const folder = await chooseWorkFolder();
  await mkdir(folder, { recursive: true });
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
  const postgres = await openBenchPostgres(folder);
  const engine = await openBenchEngine(await postgres.freshDatabase("row_checks"));
  const items = Array.from({ length: 1_000 }, (_, index) => ({ n: index }));
  const journals: Rows[] = [];
  const add = async (name: string, flow: string, input: Parameters<BenchEngine["start"]>[1]): Promise<void> => {
    await engine.register(flow);
    const { state } = await engine.start((/^id: (.*)$/m.exec(flow) ?? ["", name])[1] as string, input, WAIT_MS);
    if (state.phase !== "COMPLETED") throw new Error(`${name} ended ${state.phase}: ${JSON.stringify(state.error)}`);
    const rows = await postgres.query(
      `SELECT records FROM orchestrator.journal WHERE run_id = '${state.runId}' ORDER BY sequence`,
      "row_checks",
    );
    const texts = rows.map(({ records }) => String(records));
    journals.push({ name, runId: state.runId, texts, count: parseAll(texts).length });
  };
  await add("3-step run", await readFile(new URL("flows/three-steps.yaml", import.meta.url), "utf8"), { value: 1 });
  await add("states", JSON.stringify(COUNTING_STATES), {});
  await add("map", JSON.stringify(MAP), { items });
  await engine.close();
  await postgres.close();
  return journals;
}

function parseAll(texts: readonly string[]): JournalRecord[] {
  const all: JournalRecord[] = [];
  for (const text of texts) for (const record of parseStoredJson(text) as unknown as JournalRecord[]) all.push(record);
  return all;
}

interface Spent {
  readonly parseMs: number;
  readonly checkMs: number;
  readonly foldMs: number;
}

/** Reads a journal repeatedly. */
function read({ runId, texts, count }: Rows, check: Check): Spent {
  const times = Math.ceil(RECORDS_A_ROUND / count);
  let parseMs = 0;
  let checkMs = 0;
  let foldMs = 0;
  for (let time = 0; time < times; time += 1) {
    const begun = performance.now();
    const records = parseAll(texts);
    const parsed = performance.now();
    const problem = check(records, 1);
    const checked = performance.now();
    if (problem !== null) throw new Error(problem);
    foldJournal(runId, records);
    foldMs += performance.now() - checked;
    checkMs += checked - parsed;
    parseMs += parsed - begun;
  }
  return { parseMs, checkMs, foldMs };
}

const checks: [string, Check][] = [["here", recordsProblem]];
const [, , otherFolder] = process.argv;
if (otherFolder !== undefined) {
  const url = new URL("src/engine/machine/check-record.ts", pathToFileURL(`${otherFolder}/`));
  checks.push(["there", ((await import(url.href)) as { readonly recordsProblem: Check }).recordsProblem]);
}
const journals = await writeJournals();
const spent = new Map<string, Spent[]>();
// The first rounds warm up.
for (let round = -ROUNDS / 3; round < ROUNDS; round += 1)
  for (const rows of journals)
    for (const [side, check] of checks) {
      const one = read(rows, check);
      const key = `${rows.name} ${side}`;
      if (round >= 0) spent.set(key, [...(spent.get(key) ?? []), one]);
    }
process.stdout.write(`${"".padEnd(20)}records   parse   check    fold   checks' share (µs a record)\n`);
for (const { name, count } of journals)
  for (const [side] of checks) {
    const rounds = spent.get(`${name} ${side}`) ?? [];
    const records = Math.ceil(RECORDS_A_ROUND / count) * count;
    const figure = (part: keyof Spent): string =>
      ((median(rounds.map((round) => round[part])) * 1_000) / records).toFixed(3).padStart(8);
    const share = median(rounds.map(({ parseMs, checkMs, foldMs }) => checkMs / (parseMs + checkMs + foldMs)));
    process.stdout.write(
      `${`${name}, ${side}`.padEnd(20)}${String(count).padStart(7)}${figure("parseMs")}${figure("checkMs")}${figure("foldMs")}${(share * 100).toFixed(1).padStart(9)} %\n`,
    );
  }
