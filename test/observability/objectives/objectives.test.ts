/**
 * The objectives, measured: their own queries, on a real Prometheus, after some load on the real service. It proves
 * that each query has an answer; `scripts/measure-objectives.sh` makes the load long, and the figures go to SLO.md.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { cpus, totalmem } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { goodPart, OBJECTIVES } from "../../../observability/src/slo.ts";
import { eventually } from "../../support/eventually.ts";
import { createTestDatabase } from "../../support/postgres.ts";
import { openObjectiveBed } from "./bed.ts";

const { database, url } = await createTestDatabase();

/** How long the load lasts; only the script sets it. */
const GIVEN_SECONDS = process.env.MEASURE_SECONDS;
const SECONDS = Number(GIVEN_SECONDS ?? 10);

/** More than all of the load. */
const RANGE = "1d";

interface Measured {
  readonly title: string;
  readonly target: string;
  /** From 0 to 1. */
  readonly good: number;
  readonly events: number;
}

test(
  "after some load, and the end of an instance, the query of each objective has an answer",
  async () => {
    const { prometheus, load } = await openObjectiveBed(url);
    const acknowledged = await load(SECONDS);
    const ask = async (query: string): Promise<number> => {
      const [found] = await prometheus.query(query);
      return Number(found?.value[1]);
    };
    const measured = await eventually(
      async () => {
        const all: Measured[] = [];
        for (const { title, target, ...objective } of OBJECTIVES) {
          const good = await ask(goodPart(objective, RANGE));
          const events = await ask(objective.valid(RANGE));
          expect(events, title).toBeGreaterThan(0);
          all.push({ title, target: `${100 * target} %`, good, events });
        }
        return all;
      },
      { timeoutMs: 120_000, intervalMs: 1_000 },
    );
    for (const { title, good } of measured) {
      expect(good, title).toBeGreaterThan(0);
      expect(good, title).toBeLessThan(1.01);
    }
    const { rows } = await database.reads.query<{ readonly found: number }>(
      "SELECT count(*)::float8 AS found FROM orchestrator.runs WHERE run_id = ANY($1::text[])",
      [acknowledged],
    );
    expect(rows).toEqual([{ found: acknowledged.length }]);
    if (GIVEN_SECONDS === undefined) return;
    writeTable([...measured, { title: "Durability", target: "all", good: 1, events: acknowledged.length }]);
  },
  (SECONDS + 280) * 1_000,
);

/** Puts the figures between the marks of SLO.md. */
function writeTable(measured: readonly Measured[]): void {
  const file = join(import.meta.dirname, "../../../observability/SLO.md");
  const date = new Date().toISOString().slice(0, 10);
  const machine = `${cpus()[0]?.model.trim()}, ${cpus().length} cores, ${Math.round(totalmem() / 2 ** 30)} GB`;
  const lines = [
    `${date}, ${SECONDS} s of load, ${machine}, Node ${process.version}:`,
    "",
    "| objective | target | measured | events |",
    "|---|---|---|---|",
    ...measured.map(
      ({ title, target, good, events }) =>
        `| ${title} | ${target} | ${(100 * Math.min(1, good)).toFixed(3)} % | ${Math.round(events).toLocaleString("en-US")} |`,
    ),
  ];
  const page = readFileSync(file, "utf8");
  const parts = /^([\s\S]*<!-- measured -->\n)[\s\S]*(<!-- end -->[\s\S]*)$/.exec(page);
  if (parts === null) throw new Error("SLO.md has no marks");
  writeFileSync(file, `${parts[1]}\n${lines.join("\n")}\n\n${parts[2]}`);
}
