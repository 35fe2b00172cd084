import { expect, test } from "vitest";
import { cutPage, pageSizeOf, scanPage } from "../../../src/api/lists/paging.ts";
import { withHeartbeats } from "../../../src/api/streams/heartbeat.ts";
import { toError } from "../../../src/base/errors.ts";
import { createQueue } from "../../../src/base/queue.ts";
import { eventually } from "../../support/eventually.ts";

/** A source that gives what is pushed, until its signal aborts. */
function createSource() {
  const pushed = createPushed();
  const parts = { stop: new AbortController(), drain: new AbortController(), sources: [] as AbortSignal[] };
  const stream = {
    async *open(signal: AbortSignal) {
      parts.sources.push(signal);
      const queue = createQueue<number | Error>(signal);
      pushed.to = (value) => queue.push(value);
      for (;;) {
        const value = await queue.take();
        if (value === undefined) return;
        if (value instanceof Error) throw value;
        yield value;
      }
    },
    signal: parts.stop.signal,
    draining: parts.drain.signal,
    drained: () => toError("SHUTTING_DOWN", { cursor: "c" }),
    toMessage: (value: number) => (value < 0 ? null : `m${value}`),
    heartbeat: () => "beat",
  };
  return { ...parts, stream, push: (value: number | Error) => pushed.to?.(value) };
}

function createPushed(): { to: ((value: number | Error) => void) | null } {
  return { to: null };
}

test("silence brings heartbeats, values come in order, dropped ones do not", async () => {
  const { stream, push } = createSource();
  const seen: string[] = [];
  for await (const message of withHeartbeats(stream, 30)) {
    seen.push(message);
    if (seen.length === 2) for (const value of [1, -1, 2]) push(value);
    if (message === "m2") break;
  }
  expect(seen).toEqual(["beat", "beat", "m1", "m2"]);
});

test("leaving the iteration ends the source", async () => {
  const { stream, sources } = createSource();
  for await (const _ of withHeartbeats(stream, 5)) break;
  expect(sources[0]?.aborted).toBe(true);
});

test("an abort ends the stream with its reason, a drain with its own, an error of the source with itself", async () => {
  const aborted = createSource();
  setTimeout(() => aborted.stop.abort(toError("REQUEST_CANCELLED")), 20);
  await expect(drainAll(withHeartbeats(aborted.stream, 1_000))).rejects.toMatchObject({ code: "REQUEST_CANCELLED" });
  expect(aborted.sources[0]?.aborted).toBe(true);
  const drained = createSource();
  setTimeout(() => drained.drain.abort(), 20);
  await expect(drainAll(withHeartbeats(drained.stream, 1_000))).rejects.toMatchObject({
    code: "SHUTTING_DOWN",
    details: { cursor: "c" },
  });
  const broken = createSource();
  setTimeout(() => broken.push(new Error("boom")), 20);
  await expect(drainAll(withHeartbeats(broken.stream, 1_000))).rejects.toThrow("boom");
});

test("what the source had ready goes out before a drain ends the stream", async () => {
  const { stream, push, drain } = createSource();
  const seen: string[] = [];
  const reading = (async () => {
    for await (const message of withHeartbeats(stream, 1_000)) seen.push(message);
  })();
  await eventually(() => push(7));
  await eventually(() => expect(seen).toContain("m7"));
  drain.abort();
  await expect(reading).rejects.toMatchObject({ code: "SHUTTING_DOWN" });
});

async function drainAll(messages: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of messages);
}

test("page sizes have a default and a limit", () => {
  expect([0, 1, 500, 501, 2_147_483_647].map(pageSizeOf)).toEqual([50, 1, 500, 500, 500]);
});

test("a page is cut where the next one begins", () => {
  expect(cutPage([1, 2, 3], 2, (line) => line * 10)).toEqual({ lines: [1, 2], next: 20 });
  expect(cutPage([1, 2], 2, (line) => line)).toEqual({ lines: [1, 2], next: null });
});

test("a list that cannot filter is read on until the page is full, and the union of the pages is the list", async () => {
  const all = Array.from({ length: 950 }, (_, index) => index);
  const source = {
    read: async (after: number | null, limit: number) =>
      all.filter((one) => after === null || one > after).slice(0, limit),
    placeOf: (line: number) => line,
  };
  for (const [size, meets] of [
    [7, (line: number) => line % 3 === 0],
    [100, () => true],
    [10, (line: number) => line > 940],
    [10, () => false],
  ] as const) {
    const seen: number[] = [];
    for (let after: number | null = null, pages = 0; pages < 1_000; pages += 1) {
      const page: { lines: readonly number[]; next: number | null } = await scanPage(source, after, size, meets);
      expect(page.lines.length).toBeLessThanOrEqual(size);
      seen.push(...page.lines);
      if (page.next === null) break;
      after = page.next;
    }
    expect(seen).toEqual(all.filter(meets));
  }
});

test("a long list without a match is answered in parts, so that no call reads for ever", async () => {
  let read = 0;
  const source = {
    read: async (after: number | null, limit: number) => {
      read += limit;
      return Array.from({ length: limit }, (_, index) => (after ?? 0) + index + 1);
    },
    placeOf: (line: number) => line,
  };
  const page = await scanPage(source, null, 10, () => false);
  expect(page).toEqual({ lines: [], next: 2_000 });
  expect(read).toBe(2_000);
});

test("a source that is busy with what the reader does not get is silent to the reader", async () => {
  // Each value that was dropped began the wait for the heartbeat anew.
  const { stream, push, drain } = createSource();
  const timer = setInterval(() => push(-1), 2);
  const seen: string[] = [];
  for await (const message of withHeartbeats(stream, 30)) if (seen.push(message) === 3) break;
  expect(seen).toEqual(["beat", "beat", "beat"]);
  clearInterval(timer);
  // Nor does it hold a stream that is to end.
  const busy = createSource();
  const endless = {
    ...busy.stream,
    async *open() {
      for (;;) yield await new Promise<number>((resolve) => setImmediate(resolve, -1));
    },
  };
  setTimeout(() => busy.drain.abort(), 20);
  await expect(drainAll(withHeartbeats(endless, 30))).rejects.toMatchObject({ code: "SHUTTING_DOWN" });
  drain.abort();
});
