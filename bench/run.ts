/**
 * The benchmark. `make bench` installs what it needs and runs it; options go into ARGS:
 *   --quick one round, short windows, small stores: a quick look, no verdict
 *   --rounds N visits of every subject; default 3
 *   --seconds N length of a load window, default 6; a run alone gets half of it
 *   --only a,b these subjects and scenarios
 *   --store with --only: stores the figures below results/partial/
 *   --profile every Node program of the sitting writes a CPU profile
 *
 * Every round visits every subject once, in an order that rotates by one from round to round; figures are medians over
 * the rounds. The scenarios follow, each once. The ratios inside a sitting are what counts. Exit code 1 if something
 * could not be measured.
 */
import { existsSync, rmSync } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import type { Figures } from "./harness/figures.ts";
import { measureSubject, type SubjectPlace, type SubjectSample, type WindowPlan } from "./harness/measure-subject.ts";
import { openBenchPostgres, warmWriteAheadLog } from "./harness/postgres.ts";
import { printReport, storeReport } from "./harness/report.ts";
import { measureScenario, SCENARIOS } from "./harness/scenarios.ts";
import type { Sitting } from "./harness/sitting.ts";
import { SUBJECTS } from "./harness/subjects.ts";
import { chooseWorkFolder } from "./harness/work-folder.ts";

const { values: options } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    rounds: { type: "string" },
    seconds: { type: "string" },
    only: { type: "string" },
    store: { type: "boolean", default: false },
    profile: { type: "boolean", default: false },
  },
});

const { quick } = options;
const rounds = readNumber("rounds", options.rounds, quick ? 1 : 3);
const flightSeconds = readNumber("seconds", options.seconds, quick ? 2 : 6);
const plan: WindowPlan = {
  warmSeconds: Math.min(2, flightSeconds / 2),
  aloneSeconds: flightSeconds / 2,
  flightSeconds,
  attempts: quick ? 1 : 2,
};
const known = [...SUBJECTS, ...SCENARIOS].map(({ name }) => name);
const only = options.only?.split(",");
const unknown = only?.filter((name) => !known.includes(name)) ?? [];
if (unknown.length > 0) refuse(`Nothing is called ${unknown.join(", ")}. There are: ${known.join(", ")}`);
const isWanted = ({ name }: { readonly name: string }): boolean => only === undefined || only.includes(name);

const missing = new Map<string, string>();
const samples = new Map<string, SubjectSample[]>();
const scenarios = new Map<string, Figures>();
const hasGhz = existsSync(fileURLToPath(new URL("../.tools/bin/ghz", import.meta.url)));
if (!hasGhz && isWanted({ name: "ghz" })) missing.set("ghz", "it is not installed (Go is missing)");
const subjects = SUBJECTS.filter((subject) => isWanted(subject) && !missing.has(subject.name));

const folder = await chooseWorkFolder();
await mkdir(folder, { recursive: true });
process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
const profileFolder = options.profile ? fileURLToPath(new URL(".cache/profiles", import.meta.url)) : undefined;
const postgres = await openBenchPostgres(folder);
let interrupted = false;
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => {
    interrupted = true;
  });
}
const place: SubjectPlace = { postgres, folder, profileFolder };
const begun = performance.now();
try {
  await warmWriteAheadLog(postgres);
  for (let round = 0; round < rounds; round++) {
    for (let turn = 0; turn < subjects.length; turn++) {
      const subject = subjects[(turn + round) % subjects.length];
      if (subject === undefined) continue;
      await attempt(subject.name, `round ${round + 1}/${rounds} ${subject.name}`, async () => {
        const sample = await measureSubject(subject, plan, place);
        samples.set(subject.name, [...(samples.get(subject.name) ?? []), sample]);
        return Object.entries(sample.windows)
          .map(([n, w]) => `${n}: ${w.runsPerSecond.toFixed(0)}/s p50 ${w.p50Ms.toFixed(2)} ms`)
          .join(" · ");
      });
    }
  }
  for (const scenario of SCENARIOS.filter(isWanted)) {
    await attempt(scenario.name, scenario.name, async () => {
      const figures = await measureScenario(scenario, quick, place);
      scenarios.set(scenario.name, figures);
      return Object.entries(figures)
        .map(([name, value]) => `${name} ${value.toPrecision(4)}`)
        .join(" · ");
    });
  }
} finally {
  await postgres.close();
}
if (interrupted) process.exit(130);

const sitting: Sitting = {
  subjects,
  samples,
  scenarios,
  missing,
  only,
  rounds,
  quick,
  plan,
  postgresVersion: postgres.version,
  postgresSettings: postgres.settings,
};
process.stderr.write(`The sitting took ${((performance.now() - begun) / 60_000).toFixed(1)} minutes.\n\n`);
printReport(sitting);
if ((only === undefined || options.store) && !quick)
  console.log(`\nStored as ${(await storeReport(sitting)).join(" and ")}`);
if (profileFolder !== undefined) console.log(`CPU profiles are in ${profileFolder}`);
await rm(folder, { recursive: true, force: true });
process.exitCode = missing.size === 0 ? 0 : 1;

/** A failure does not end the sitting: the report names it, and the rest continues. */
async function attempt(name: string, title: string, measure: () => Promise<string>): Promise<void> {
  if (interrupted) return;
  process.stderr.write(`${title} …`);
  try {
    process.stderr.write(` ${await measure()}\n`);
  } catch (error) {
    missing.set(name, (error as Error).message);
    process.stderr.write(` FAILED\n${(error as Error).message}\n`);
  }
}

function readNumber(name: string, text: string | undefined, standard: number): number {
  const value = text === undefined ? standard : Number(text);
  return Number.isFinite(value) && value > 0 ? value : refuse(`--${name} must be a number above 0, not ${text}`);
}

function refuse(sentence: string): never {
  console.error(sentence);
  process.exit(2);
}
