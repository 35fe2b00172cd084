/**
 * The report of a sitting: prints bars and ratios, and stores everything under `results/`, including absolute figures.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { cpus, release, totalmem } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { type BarUnit, type Judgement, judgeBars } from "./bars.ts";
import { findBestPeer, findRow, listRows, type Row, type Sitting } from "./sitting.ts";

/** Prints bars and ratios. */
export function printReport(sitting: Sitting): void {
  console.log([...describeSitting(sitting), "", ...formatBars(sitting), "", ...formatRatios(sitting)].join("\n"));
}

/**
 * Writes `<date>-<cpu>.json` and `.md`; returns their paths. A partial sitting goes to the folder `partial`, and its
 * names say what was measured.
 */
export async function storeReport(sitting: Sitting): Promise<readonly string[]> {
  const { only } = sitting;
  const results = path.join(path.dirname(path.dirname(fileURLToPath(import.meta.url))), "results");
  const folder = only === undefined ? results : path.join(results, "partial");
  await mkdir(folder, { recursive: true });
  const cpu = describeMachine()
    .cpu.toLowerCase()
    .replace(/\(r\)|\(tm\)/g, "")
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-|-$/g, "");
  const name = [new Date().toISOString().slice(0, 10), cpu, ...(only ?? [])].join("-");
  const base = path.join(folder, name);
  const content = {
    machine: describeMachine(),
    ...sitting,
    samples: Object.fromEntries(sitting.samples),
    scenarios: Object.fromEntries(sitting.scenarios),
    missing: Object.fromEntries(sitting.missing),
    bars: listBars(sitting).map(({ bar: { title, rule, limit, unit }, value, verdict }) => ({
      title,
      rule,
      limit,
      unit,
      value,
      verdict,
    })),
  };
  await writeFile(`${base}.json`, `${JSON.stringify(content, null, 1)}\n`);
  const sections = [
    ["# Benchmark", ...describeSitting(sitting)],
    ["## Bars", ...formatBars(sitting)],
    ["## Ratios", ...formatRatios(sitting)],
    ["## Absolute figures (of this machine in this hour)", ...formatFigures(sitting)],
    ["## Other figures", ...formatScenarios(sitting)],
    ["## Versions and settings", ...formatVersions(sitting)],
  ];
  // A partial sitting lacks some tables.
  const shown = sections.filter((lines) => lines.length > 1);
  await writeFile(`${base}.md`, `${shown.map(([title, ...lines]) => [title, "", ...lines].join("\n")).join("\n\n")}\n`);
  return [`${base}.json`, `${base}.md`];
}

function describeMachine() {
  return {
    cpu: cpus()[0]?.model ?? "unknown",
    cores: cpus().length,
    memoryGb: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    node: process.version,
    date: new Date().toISOString().slice(0, 10),
  };
}

function describeSitting({ postgresVersion, rounds, plan, quick, missing }: Sitting): string[] {
  const { date, cpu, cores, memoryGb, kernel, node } = describeMachine();
  return [
    `${date} · ${cpu}, ${cores} cores, ${memoryGb} GB, Linux ${kernel} · Node ${node} · Postgres ${postgresVersion} · medians of ${rounds} rounds, windows of ${plan.flightSeconds} s (${plan.aloneSeconds} s alone) after ${plan.warmSeconds} s`,
    ...(quick
      ? [
          "",
          "A quick look: short windows, small stores. It judges nothing, and its stores are smaller than the bars say.",
        ]
      : []),
    ...[...missing].flatMap(([name, reason]) => ["", `Missing: ${name}: ${reason.split("\n", 1)[0]}`]),
  ];
}

/** All bars; of a partial sitting those that it measured. */
function listBars(sitting: Sitting): readonly Judgement[] {
  const bars = judgeBars(sitting);
  return sitting.only === undefined ? bars : bars.filter(({ value }) => value !== undefined);
}

function formatBars(sitting: Sitting): string[] {
  const signs = { atLeast: "≥", atMost: "≤", below: "<" } as const;
  return formatTable(
    ["measure", "bar", "value", "verdict"],
    listBars(sitting).map(({ bar, value, verdict }: Judgement) => [
      bar.title,
      `${signs[bar.rule]} ${formatValue(bar.limit, bar.unit)}`,
      value === undefined ? "–" : formatValue(value, bar.unit),
      // Small stores and short windows decide nothing.
      sitting.quick ? "–" : verdict === "miss" ? "**miss**" : verdict,
    ]),
  );
}

function formatValue(value: number, unit: BarUnit): string {
  const digits = value >= 100 ? 0 : value >= 10 ? 1 : 2;
  const number = Number.isInteger(value) ? String(value) : value.toFixed(digits);
  return { times: number, us: `${number} µs`, ms: `${number} ms`, MB: `${number} MB`, perSecond: `${number}/s` }[unit];
}

/** Everything relative to the best peer and the limit in the same window. */
function formatRatios(sitting: Sitting): string[] {
  const rows = listRows(sitting);
  const ratio = (a: number, b: number | undefined): string => (b === undefined ? "–" : (a / b).toFixed(2));
  return formatTable(
    [
      "subject",
      "in flight",
      "runs/s ÷ best peer",
      "runs/s ÷ write loop",
      "p50 ÷ best peer",
      "CPU ÷ best peer",
      "commits/run",
      "WAL B/run",
    ],
    rows.map((row) => {
      const peer = findBestPeer(rows, row.inFlight === 1 ? 1 : 200);
      const limit = findRow(rows, "write-loop", row.inFlight);
      return [
        row.subject.title,
        String(row.inFlight),
        ratio(row.runsPerSecond, peer?.runsPerSecond),
        ratio(row.runsPerSecond, limit?.runsPerSecond),
        row.inFlight === 1 ? ratio(row.p50Ms, peer?.p50Ms) : "–",
        ratio(row.cpuSecondsPerThousand, peer?.cpuSecondsPerThousand),
        row.commitsPerRun?.toFixed(2) ?? "–",
        row.walBytesPerRun?.toFixed(0) ?? "–",
      ];
    }),
  );
}

function formatFigures(sitting: Sitting): string[] {
  const share = (value: number): string => `${(value * 100).toFixed(0)} %`;
  return formatTable(
    [
      "subject",
      "in flight",
      "runs/s",
      "spread",
      "p50 ms",
      "p99 ms",
      "CPU s per 1,000 runs (driver + servers + Postgres)",
      "others",
    ],
    listRows(sitting).map((row: Row) => [
      row.subject.name,
      String(row.inFlight),
      row.runsPerSecond.toFixed(0),
      `±${share(row.spread)}`,
      row.p50Ms.toFixed(2),
      row.p99Ms.toFixed(2),
      `${row.cpuSecondsPerThousand.toFixed(3)} (${row.cpuParts.driver.toFixed(3)} + ${row.cpuParts.servers.toFixed(3)} + ${row.cpuParts.postgres.toFixed(3)})`,
      share(row.othersShare),
    ]),
  );
}

function formatScenarios(sitting: Sitting): string[] {
  return formatTable(
    ["scenario", "figure", "value"],
    [...sitting.scenarios].flatMap(([scenario, figures]) =>
      Object.entries(figures).map(([name, value]) => [
        scenario,
        name,
        Number.isInteger(value) ? String(value) : value.toPrecision(4),
      ]),
    ),
  );
}

function formatVersions({ subjects, samples, postgresSettings }: Sitting): string[] {
  const pairs = (record: Readonly<Record<string, string | number>>): string =>
    Object.entries(record)
      .map(([name, value]) => `${name}=${value}`)
      .join(", ");
  return [
    ...subjects.map(({ name }) => `- ${name}: ${pairs(samples.get(name)?.[0]?.about ?? {})}`),
    `- Postgres: ${pairs(postgresSettings)}`,
  ];
}

/** Nothing if there are no rows. */
function formatTable(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  if (rows.length === 0) return [];
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)];
}
