import { expect, onTestFinished, test, vi } from "vitest";
import { openLostOwners } from "../../../../src/api/peers/lost-owners.ts";
import type { OtherInstance } from "../../../../src/engine/ports/cluster.ts";

const NEVER = new AbortController().signal;

const instanceAt = (address: string, owns = true): OtherInstance => ({
  ...{ id: address, address, leaving: false, shards: [] },
  owns,
});

function open(...others: OtherInstance[]) {
  vi.useFakeTimers();
  const view = { others, epochs: 1 };
  const owners = openLostOwners({ view: () => view });
  onTestFinished(() => {
    owners.close();
    vi.useRealTimers();
  });
  return { view, owners };
}

test("a call ends when its instance has had no shards for three seconds, and not before", () => {
  const { view, owners } = open(instanceAt("a:1"), instanceAt("b:1"));
  const [lost, kept] = [owners.watch("a:1", NEVER), owners.watch("b:1", NEVER)];
  vi.advanceTimersByTime(60_000);
  view.others = [instanceAt("a:1", false), instanceAt("b:1")];
  vi.advanceTimersByTime(2_000);
  expect(lost.signal.aborted).toBe(false);
  vi.advanceTimersByTime(1_000);
  expect([lost.signal.aborted, kept.signal.aborted]).toEqual([true, false]);
});

test("an instance that gives its shards away and gets others keeps its calls", () => {
  const { view, owners } = open(instanceAt("a:1"));
  const { signal } = owners.watch("a:1", NEVER);
  for (let times = 0; times < 5; times += 1) {
    view.others = [];
    vi.advanceTimersByTime(2_000);
    view.others = [instanceAt("a:1")];
    vi.advanceTimersByTime(1_000);
  }
  expect(signal.aborted).toBe(false);
});

test("an instance that has only just got shards is not taken for one that lost them", () => {
  const { view, owners } = open();
  const { signal } = owners.watch("a:1", NEVER);
  vi.advanceTimersByTime(30_000);
  expect(signal.aborted).toBe(false);
  view.others = [instanceAt("a:1")];
  vi.advanceTimersByTime(1_000);
  view.others = [];
  vi.advanceTimersByTime(3_000);
  expect(signal.aborted).toBe(true);
});

test("the caller can end its call, and nothing is watched after the last one", () => {
  const { owners } = open(instanceAt("a:1"));
  const stop = new AbortController();
  const call = owners.watch("a:1", stop.signal);
  stop.abort(new Error("gone"));
  expect(call.signal.reason).toMatchObject({ message: "gone" });
  call.release();
  vi.advanceTimersByTime(1_000);
  expect(vi.getTimerCount()).toBe(0);
  const stopped = owners.watch("a:1", AbortSignal.abort());
  expect(stopped.signal.aborted).toBe(true);
});
