import { expect, test } from "vitest";
import { Slots } from "../../../../src/tools/path/slots.ts";

const never = new AbortController().signal;

test("calls beyond the bound wait in a line, and those beyond the line are refused", async () => {
  const slots = new Slots({ maxConcurrent: 1, maxQueued: 1 });
  expect(slots.enter(never)).toBe("entered");
  const second = slots.enter(never);
  expect(slots.enter(never)).toBe("full");
  expect([slots.running, slots.queued]).toEqual([1, 1]);
  slots.leave();
  expect(await second).toBe("entered");
  expect([slots.running, slots.queued]).toEqual([1, 0]);
});

test("a call that is aborted leaves the line, and takes no slot", async () => {
  const slots = new Slots({ maxConcurrent: 1, maxQueued: 2 });
  await slots.enter(never);
  const leaving = new AbortController();
  const second = slots.enter(leaving.signal);
  const third = slots.enter(never);
  leaving.abort();
  expect(await second).toBe("aborted");
  slots.leave();
  expect(await third).toBe("entered");
  expect([slots.running, slots.queued]).toEqual([1, 0]);
  expect(slots.enter(AbortSignal.abort())).toBe("aborted");
});

test("a higher bound lets in those who wait; a lower one takes no slot away", async () => {
  const slots = new Slots({ maxConcurrent: 1, maxQueued: 9 });
  await slots.enter(never);
  const waiting = [slots.enter(never), slots.enter(never)];
  slots.resize({ maxConcurrent: 3, maxQueued: 9 });
  expect(await Promise.all(waiting)).toEqual(["entered", "entered"]);
  slots.resize({ maxConcurrent: 1, maxQueued: 0 });
  expect(slots.running).toBe(3);
  slots.leave();
  slots.leave();
  expect([slots.running, slots.enter(never)]).toEqual([1, "full"]);
  slots.leave();
  expect(slots.enter(never)).toBe("entered");
});
