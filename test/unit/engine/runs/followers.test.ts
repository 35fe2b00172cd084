import { expect, test } from "vitest";
import type { JournalRecord } from "../../../../src/engine/machine/records.ts";
import type { Run } from "../../../../src/engine/machine/run.ts";
import { createState } from "../../../../src/engine/machine/state.ts";
import type { RunHeader } from "../../../../src/engine/ports/run-index.ts";
import type { RunChange } from "../../../../src/engine/ports/run-watch.ts";
import { createFollowers } from "../../../../src/engine/runs/followers.ts";
import { toHeader } from "../../../../src/engine/runs/headers.ts";

const CALLER = { tenantId: "default", actor: "" };
const RECORD: JournalRecord = { type: "run.opened", at: 1 };

function commit(followers: ReturnType<typeof createFollowers>, runId: string, tenantId = "default"): void {
  const state = createState(runId);
  state.tenantId = tenantId;
  state.sequence = 1;
  followers.committed({ state } as Run, [RECORD], 1);
}

const nameOf = ({ value }: IteratorResult<RunChange>): string =>
  value?.type === "gap"
    ? `gap ${value.lostCount}`
    : (value?.headers.map((header: RunHeader) => header.runId).join(" ") ?? "end");

// Cause: past the limit the oldest update was deleted and nobody was told, though the contract has a frame for it.
test("a follower that falls behind hears how many changes it missed, then the rest", async () => {
  const followers = createFollowers(3);
  const stop = new AbortController();
  const changes = followers.follow(CALLER, stop.signal, "own");
  const first = changes.next();
  for (const runId of ["a", "b", "b", "c", "d", "e"]) commit(followers, runId);
  commit(followers, "foreign", "elsewhere");
  const heard = [await first];
  for (let count = 0; count < 1; count += 1) heard.push(await changes.next());
  expect(heard.map(nameOf)).toEqual(["gap 2", "c d e"]);
  const next = changes.next();
  commit(followers, "f");
  expect(nameOf(await next)).toBe("f");
  const last = changes.next();
  stop.abort();
  expect((await last).done).toBe(true);
});

test("what others relay is heard by followers of all, once and never before what is newer", async () => {
  const followers = createFollowers();
  const stop = new AbortController();
  const [all, own] = [followers.follow(CALLER, stop.signal, "all"), followers.follow(CALLER, stop.signal, "own")];
  const heard = [all.next(), own.next()];
  const state = createState("a");
  state.tenantId = "default";
  const relay = (sequence: number): void => {
    const header = { ...toHeader(state), sequence };
    followers.relay("default", { type: "changed", headers: [header] });
    followers.relay("elsewhere", { type: "changed", headers: [{ ...header, runId: "foreign" }] });
  };
  for (const sequence of [7, 6]) relay(sequence);
  const first = (await heard[0])?.value as Extract<RunChange, { type: "changed" }>;
  expect(first.headers.map(({ runId, sequence }) => [runId, sequence])).toEqual([["a", 7]]);
  followers.relay("default", { type: "gap", lostCount: 3 });
  expect((await all.next()).value).toEqual({ type: "gap", lostCount: 3 });
  commit(followers, "b");
  expect(nameOf((await heard[1]) as IteratorResult<RunChange>)).toBe("b");
  stop.abort();
});

// Cause: a follower whose reader had stopped at a change was never taken off the list, and held what was told to it
// forever.
test("a follower that is given up while its reader is busy is taken off the list", async () => {
  const followers = createFollowers();
  const stop = new AbortController();
  const changes = followers.follow(CALLER, stop.signal, "own");
  const first = changes.next();
  commit(followers, "a");
  await first;
  stop.abort();
  // Those who look at the run have somebody to tell.
  const unseen = {
    get state(): never {
      throw new Error("somebody follows");
    },
  };
  expect(() => followers.committed(unseen as unknown as Run, [RECORD], 1)).not.toThrow();
});
