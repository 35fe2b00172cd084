import { expect, test } from "vitest";
import { createFollowers } from "../../../src/engine/followers.ts";
import type { JournalRecord } from "../../../src/engine/machine/records.ts";
import type { Run } from "../../../src/engine/machine/run.ts";
import { createState } from "../../../src/engine/machine/state.ts";
import type { RunChange } from "../../../src/engine/port.ts";

const CALLER = { tenantId: "default", actor: "" };
const RECORD: JournalRecord = { type: "run.opened", at: 1 };

function commit(followers: ReturnType<typeof createFollowers>, runId: string, tenantId = "default"): void {
  const state = createState(runId);
  state.tenantId = tenantId;
  state.sequence = 1;
  followers.committed({ state } as Run, [RECORD], 1);
}

const nameOf = ({ value }: IteratorResult<RunChange>): string =>
  value?.type === "gap" ? `gap ${value.lostCount}` : (value?.header.runId ?? "end");

// Cause: past the limit the oldest update was deleted and nobody was told, though the contract has a frame for it.
test("a follower that falls behind hears how many changes it missed, then the rest", async () => {
  const followers = createFollowers(3);
  const stop = new AbortController();
  const changes = followers.follow(CALLER, stop.signal);
  const first = changes.next();
  for (const runId of ["a", "b", "b", "c", "d", "e"]) commit(followers, runId);
  commit(followers, "foreign", "elsewhere");
  const heard = [await first];
  for (let count = 0; count < 3; count += 1) heard.push(await changes.next());
  expect(heard.map(nameOf)).toEqual(["gap 2", "c", "d", "e"]);
  const next = changes.next();
  commit(followers, "f");
  expect(nameOf(await next)).toBe("f");
  const last = changes.next();
  stop.abort();
  expect((await last).done).toBe(true);
});
