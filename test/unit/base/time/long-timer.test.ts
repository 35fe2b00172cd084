/** Timers of any length. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { startLongTimer } from "../../../../src/base/time/long-timer.ts";

const DAY_MS = 86_400_000;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test.each([1, 24, 25, 60, 400])("a timer of %d days fires after that time, once", (days) => {
  // Cause: what was longer than setTimeout takes was never armed, so that timeouts of more than 24.8 days did not
  // exist.
  const fire = vi.fn();
  startLongTimer(days * DAY_MS, fire);
  vi.advanceTimersByTime(days * DAY_MS - 1);
  expect(fire).not.toHaveBeenCalled();
  vi.advanceTimersByTime(1);
  expect(fire).toHaveBeenCalledOnce();
  vi.advanceTimersByTime(days * DAY_MS);
  expect(fire).toHaveBeenCalledOnce();
});

test.each([1, 60])("one of %d days that is restarted has its whole time again; a stopped one never fires", (days) => {
  const fire = vi.fn();
  const timer = startLongTimer(days * DAY_MS, fire);
  vi.advanceTimersByTime(days * DAY_MS - 1);
  timer.restart();
  vi.advanceTimersByTime(days * DAY_MS - 1);
  expect(fire).not.toHaveBeenCalled();
  timer.stop();
  vi.advanceTimersByTime(2 * days * DAY_MS);
  expect(fire).not.toHaveBeenCalled();
});
