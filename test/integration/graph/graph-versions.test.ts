/** Versions of graph modules: a run goes on with the version that it began with, or waits for it. */
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import type { Outcome } from "../../../src/engine/machine/events.ts";
import type { GraphHost } from "../../../src/engine/ports/graphs.ts";
import { createCheckpointStore } from "../../../src/store/checkpoints.ts";
import { createTestDatabase } from "../../support/postgres.ts";
import { createFileFolder } from "../../support/temporary-folder.ts";
import { answersOf, openTestHost, startGraphRun, suspensionOf } from "./graph-runs.ts";

const folder = createFileFolder();
const { database } = await createTestDatabase();
const [OLD, NEW] = ["./module-old.ts", "./module-new.ts"].map((name) => fileURLToPath(new URL(name, import.meta.url)));

async function openHost(...modules: (string | undefined)[]): Promise<GraphHost> {
  const host = await openTestHost(createCheckpointStore(database.reads), {}, modules as string[]);
  onTestFinished(() => host.close());
  return host;
}

const deferredBy = (outcome: Outcome) =>
  outcome.ok ? outcome : [outcome.error.type, outcome.deferMs, outcome.error.message];

// Cause: graphs had a name and no version, so a run went on from its checkpoint in whatever code was loaded under that
// name.
test("a run whose version is not loaded waits and says which one it needs; loaded beside a newer one it goes on", async () => {
  const first = await openHost(OLD);
  const run = startGraphRun("pause", first, folder);
  const { key } = suspensionOf(await run.attempt());
  const answer = { key, value: "yes" };
  const newer = await openHost(NEW);
  expect(deferredBy(await run.attempt({ answer, on: newer }))).toEqual([
    "GRAPH_NOT_LOADED",
    expect.any(Number),
    expect.stringContaining("version 1 of the graph pause, loaded is 2"),
  ]);
  const both = await openHost(OLD, NEW);
  expect(both.names()).toEqual(["pause"]);
  expect(answersOf(await run.attempt({ answer, on: both }))).toBe("old");
});

test("a new run begins with the version that the configuration names last", async () => {
  const both = await openHost(OLD, NEW);
  const run = startGraphRun("pause", both, folder);
  const { key } = suspensionOf(await run.attempt());
  expect(answersOf(await run.attempt({ answer: { key, value: "yes" } }))).toBe("new");
});

test("two graphs of one name and one version stop the start", async () => {
  await expect(openHost(OLD, fileURLToPath(new URL("./module-clash.ts", import.meta.url)))).rejects.toMatchObject({
    code: "GRAPH_MODULE_INVALID",
    message: expect.stringContaining("another graph of version 1"),
  });
});
