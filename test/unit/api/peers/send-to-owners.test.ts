import { expect, test, vi } from "vitest";
import { Unreached } from "../../../../src/api/peers/forward-send.ts";
import { gatherForOwners, type OwnersWork, sendToOwners } from "../../../../src/api/peers/send-to-owners.ts";
import type { Place } from "../../../../src/engine/ports/cluster.ts";

/** Items are names of runs; a result says where the item was done, or that it moved. */
type Result = { readonly at: string } | { readonly moved: string } | { readonly failed: string };

const PATIENCE = { ms: 3_000, signal: new AbortController().signal };

interface World {
  /** Where the store says that runs are: `here`, an address, or none. */
  readonly owners: Map<string, Place | null>;
  /** What this instance believes. */
  readonly believed: Map<string, Place>;
  /** Each call: its place and items. */
  readonly calls: { readonly place: string; readonly items: readonly string[] }[];
  /** Addresses at which nothing answers, and those that never answer. */
  readonly dead: Set<string>;
  readonly frozen: Set<string>;
  readonly work: OwnersWork<string, Result>;
}

function createWorld(more: Partial<OwnersWork<string, Result>> = {}): World {
  const owners = new Map<string, Place | null>();
  const believed = new Map<string, Place>();
  const calls: World["calls"] = [];
  const dead = new Set<string>();
  const frozen = new Set<string>();
  const doAt = (place: Place, items: readonly string[]): Result[] => {
    const address = place === "here" ? place : place.address;
    calls.push({ place: address, items });
    return items.map((item) => {
      const owner = owners.get(item) ?? null;
      const isOwner = (owner === null || owner === "here" ? owner : owner.address) === address;
      return isOwner ? { at: address } : { moved: item };
    });
  };
  const work: OwnersWork<string, Result> = {
    cluster: {
      ownerOf: (runId) => believed.get(runId) ?? null,
      locate: async (runId, unreachable) => {
        const owner = owners.get(runId) ?? null;
        return owner !== null && owner !== "here" && owner.address === unreachable ? null : owner;
      },
    },
    runOf: (item) => item,
    here: async (items) => doAt("here", items),
    async there(address, items) {
      if (dead.has(address)) throw new Unreached(address, null);
      if (frozen.has(address)) return new Promise<never>(() => {});
      return doAt({ address }, items);
    },
    movedTo: (result) => ("moved" in result ? result.moved : null),
    failed: (_item, why) => ({ failed: why instanceof Error ? why.message : "no owner" }),
    ...more,
  };
  return { owners, believed, calls, dead, frozen, work };
}

const at = (address: string): Place => ({ address });

test("each item is done where its run is, and one call carries all items of an owner", async () => {
  const { owners, believed, calls, work } = createWorld();
  owners.set("a", "here").set("b", at("x:1")).set("c", at("x:1")).set("d", at("y:1"));
  believed.set("a", "here").set("b", at("x:1")).set("c", at("x:1"));
  const results = await Promise.all(sendToOwners(work, ["a", "b", "c", "d"], PATIENCE));
  expect(results).toEqual([{ at: "here" }, { at: "x:1" }, { at: "x:1" }, { at: "y:1" }]);
  expect(calls).toHaveLength(3);
});

test("an owner that does not answer delays its items and no others, also those that have moved", async () => {
  const { owners, believed, frozen, work } = createWorld();
  frozen.add("x:1");
  owners.set("a", at("x:1")).set("b", "here").set("c", at("y:1")).set("d", at("z:1"));
  // The first attempt for this one goes to the wrong place.
  believed.set("d", at("y:1"));
  const [stuck, ...others] = sendToOwners(work, ["a", "b", "c", "d"], PATIENCE);
  expect(await Promise.all(others)).toEqual([{ at: "here" }, { at: "y:1" }, { at: "z:1" }]);
  expect(await Promise.race([stuck, Promise.resolve("open")])).toBe("open");
});

test("an item whose owner cannot be reached is done by the next owner, or fails alone", async () => {
  vi.useFakeTimers();
  try {
    const { owners, dead, work } = createWorld();
    dead.add("x:1");
    owners.set("a", at("x:1")).set("b", at("x:1")).set("c", "here");
    const results = Promise.all(sendToOwners(work, ["a", "b", "c"], PATIENCE));
    await vi.advanceTimersByTimeAsync(1_000);
    owners.set("a", "here");
    await vi.advanceTimersByTimeAsync(3_000);
    expect(await results).toEqual([{ at: "here" }, { failed: "no owner" }, { at: "here" }]);
  } finally {
    vi.useRealTimers();
  }
});

test("an item that finds no owner while patience lasts keeps its last result", async () => {
  const { owners, believed, calls, work } = createWorld();
  believed.set("a", at("x:1"));
  owners.set("a", at("y:1"));
  const moving: typeof work = { ...work, there: async (_address, items) => items.map((moved) => ({ moved })) };
  const results = await Promise.all(sendToOwners(moving, ["a"], { ...PATIENCE, ms: 200 }));
  expect(results).toEqual([{ moved: "a" }]);
  expect(calls).toEqual([]);
});

test("calls are bounded in items and size, and an item that is larger goes alone", async () => {
  const { owners, calls, work } = createWorld({ maxItems: 3, maxSize: 5, sizeOf: (item) => item.length });
  const items = ["1", "2", "3", "4", "555555", "6", "77777"];
  for (const item of items) owners.set(item, at("x:1"));
  await Promise.all(sendToOwners(work, items, PATIENCE));
  expect(calls.map((call) => call.items)).toEqual([["1", "2", "3"], ["4"], ["555555"], ["6"], ["77777"]]);
});

test("items of this instance that are apart wait for none of the others", async () => {
  const { owners, work } = createWorld();
  const never = new Promise<never>(() => {});
  const apart: typeof work = {
    ...work,
    areApart: true,
    here: (items) => (items.includes("slow") ? never : work.here(items)),
  };
  owners.set("slow", "here").set("quick", "here");
  const [, quick] = sendToOwners(apart, ["slow", "quick"], PATIENCE);
  expect(await quick).toEqual({ at: "here" });
});

test("an owner that gives too few results fails the rest, and a bug rejects what it concerns", async () => {
  const { owners, work } = createWorld();
  owners.set("a", at("x:1")).set("b", at("x:1")).set("c", at("y:1"));
  const broken: typeof work = {
    ...work,
    there: async (address) => {
      if (address === "y:1") throw new TypeError("a bug");
      return [{ at: "x:1" }];
    },
    failed: (_item, why) => {
      if (why instanceof TypeError) throw why;
      return { failed: String(why) };
    },
  };
  const settled = await Promise.allSettled(sendToOwners(broken, ["a", "b", "c"], PATIENCE));
  expect(settled).toMatchObject([
    { value: { at: "x:1" } },
    { value: { failed: "null" } },
    { reason: { message: "a bug" } },
  ]);
});

test("the end of the call ends the search for owners", async () => {
  const { owners, work } = createWorld();
  owners.set("a", null).set("b", "here");
  const stop = new AbortController();
  const [lost, done] = sendToOwners(work, ["a", "b"], { ms: 60_000, signal: stop.signal });
  expect(await done).toEqual({ at: "here" });
  stop.abort(new Error("the call has ended"));
  await expect(lost).rejects.toThrow();
});

test("what is asked for in one turn of the event loop goes together", async () => {
  const { owners, calls, work } = createWorld();
  const items = Array.from({ length: 500 }, (_, index) => `run-${index}`);
  for (const item of items) owners.set(item, at("x:1"));
  const send = gatherForOwners(work, PATIENCE);
  const results = await Promise.all(items.map((item) => send(item)));
  expect(results).toHaveLength(500);
  expect(calls).toHaveLength(1);
});
