/** Checkpoints that somebody else wrote, or a disk lost: one damaged row costs its own run, and the worker goes on. */
import { afterAll, beforeAll, expect, test } from "vitest";
import type { GraphHost } from "../../../src/engine/ports/graphs.ts";
import { createCheckpointStore } from "../../../src/store/checkpoints.ts";
import { createTestDatabase } from "../../support/postgres.ts";
import { createFileFolder } from "../../support/temporary-folder.ts";
import { answersOf, openTestHost, startGraphRun, suspensionOf } from "./graph-runs.ts";

const { database } = await createTestDatabase();
const folder = createFileFolder();
let host: GraphHost;

beforeAll(async () => {
  host = await openTestHost(createCheckpointStore(database.reads));
});
afterAll(() => host.close());

const CHECKPOINTS = ["'null'", "'5'", `'"x"'`, "'[]'", "'[[1]]'", "'{}'", `'{"channel_versions": null}'`];
const VERSIONS = ["null", "5", '"x"', "[1,2]", "{}", '{"answers": [1]}', '{"answers": {"a": 1}}', '{"nobody": 7}'];
const TEXTS = ["''", "'not json'", "'null'", "'5'", "'[]'", "'{}'", `'{"$": "message"}'`, `'{"$": "x"}'`];

const DAMAGES: readonly string[] = [
  ...CHECKPOINTS.map((value) => `graph_checkpoints SET checkpoint = ${value}`),
  ...VERSIONS.map(
    (value) => `graph_checkpoints SET checkpoint = jsonb_set(checkpoint, '{channel_versions}', '${value}')`,
  ),
  ...VERSIONS.map((value) => `graph_checkpoints SET checkpoint = jsonb_set(checkpoint, '{versions_seen}', '${value}')`),
  ...["v", "id", "ts"].map((key) => `graph_checkpoints SET checkpoint = checkpoint - '${key}'`),
  ...TEXTS.map((value) => `graph_checkpoints SET metadata = ${value}`),
  ...TEXTS.map((value) => `graph_channels SET value = ${value}`),
  ...TEXTS.map((value) => `graph_writes SET value = ${value}`),
  ...["graph_channels SET channel", "graph_writes SET channel", "graph_writes SET task_id"].flatMap((column) => [
    `${column} = ''`,
    `${column} = '__proto__'`,
  ]),
  "graph_writes SET place = -2147483648",
];

test("a damaged checkpoint costs its run, which says so; the next run is not touched", {
  timeout: 300_000,
}, async () => {
  const outcomes = new Map<string, number>();
  for (const damage of DAMAGES) {
    const run = startGraphRun("ask_text", host, folder);
    const { key } = suspensionOf(await run.attempt());
    // Some rows collide, which damages nothing.
    await database.journal
      .query(`UPDATE orchestrator.${damage} WHERE thread_id = $1`, [run.threadId])
      .catch(() => undefined);
    const outcome = await run.attempt({ answer: { key, value: "yes" } });
    const verdict = outcome.ok ? "OK" : (outcome.error?.type ?? "SUSPENDED");
    outcomes.set(verdict, (outcomes.get(verdict) ?? 0) + 1);
    // A value of the right form that means something else is the graph's business: its nodes go on, fail, or ask again.
    // What has no right form is refused by name, and nobody blames the store. Cause: `channel_versions` that is no
    // object failed the statement, as STORE_REJECTED.
    expect([damage, verdict]).toEqual([damage, expect.not.stringMatching(/^(STORE_|INTERNAL)/)]);
  }
  expect(outcomes.get("GRAPH_STATE_INVALID")).toBeGreaterThan(20);
  const good = startGraphRun("ask_text", host, folder);
  const { key } = suspensionOf(await good.attempt());
  expect(answersOf(await good.attempt({ answer: { key, value: "yes" } }))).toEqual(["first", "yes"]);
});
