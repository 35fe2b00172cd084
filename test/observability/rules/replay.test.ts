/** Outages replayed by promtool over the rules of the folder: when somebody is called, and what it costs. */
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import {
  nameOf,
  REPLAYS,
  type Replay,
  renderReplayedRules,
  renderSpending,
  renderTimes,
  tabulate,
} from "../../../observability/src/replay.ts";
import { createTemporaryFolder } from "../../support/temporary-folder.ts";

const FOLDER = join(import.meta.dirname, "../../../observability");
const RULES = "rules.yml";

/** What promtool says of a case that does not hold; empty if it does. */
function judge(replay: Replay, render: (replay: Replay, files: readonly string[]) => string): string {
  const folder = createTemporaryFolder();
  const file = join(folder, "replay.test.yml");
  writeFileSync(file, render(replay, [RULES]));
  writeFileSync(join(folder, RULES), renderReplayedRules(replay));
  const { status, stdout, stderr } = spawnSync("promtool", ["test", "rules", file], { encoding: "utf8" });
  return status === 0 ? "" : `${stdout}${stderr}`;
}

test.each(REPLAYS.map((replay) => [replay.objective, nameOf(replay), replay] as const))(
  "%s, %s: alerts begin and end, and the budget is spent, as SLO.md says",
  (_, __, replay) => {
    expect(judge(replay, renderTimes)).toBe("");
    expect(judge(replay, renderSpending)).toBe("");
  },
  300_000,
);

test("SLO.md has the results", () => {
  expect(readFileSync(join(FOLDER, "SLO.md"), "utf8")).toContain(tabulate(REPLAYS));
});

test("a replay with another result is refused", () => {
  for (const replay of REPLAYS)
    expect(judge({ ...replay, spent: replay.spent + 0.001 }, renderSpending)).toContain("FAILED");
}, 60_000);
