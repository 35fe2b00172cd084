/** What is known of the database's clock, with clocks that the test transitions. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { DatabaseClock } from "../../../../../src/engine/shard/ownership/database-clock.ts";

function createBed() {
  let monotonic = 0;
  const clock = new DatabaseClock({ now: () => 5_000_000, monotonic: () => monotonic });
  const wait = (ms: number): void => {
    monotonic += ms;
  };
  /** Asks for a clock that is `ahead` of ours; it is read after `there`, and the answer takes `back`. */
  const ask = (ahead: number, there: number, back: number): void => {
    const askedAt = clock.monotonic();
    wait(there);
    const databaseNow = monotonic + ahead;
    wait(back);
    clock.sample(databaseNow, askedAt);
  };
  return { clock, wait, ask, database: (ahead: number) => monotonic + ahead };
}

test("before the first answer it is the machine's clock", () => {
  const { clock } = createBed();
  expect([clock.now(), clock.earliest()]).toEqual([5_000_000, 5_000_000]);
});

test("an answer that took 100 ms leaves 100 ms in doubt, and due times are counted from the late end", () => {
  // Cause: the clock of an answer was taken for that of its arrival, so a wait of 3 s took 2.9 s.
  const { clock, ask, database } = createBed();
  ask(1_000_000, 0, 100);
  expect(clock.now() - database(1_000_000)).toBe(0);
  expect(database(1_000_000) - clock.earliest()).toBe(100);
  const other = createBed();
  other.ask(1_000_000, 100, 0);
  expect(other.clock.now() - other.database(1_000_000)).toBe(100);
  expect(other.database(1_000_000) - other.clock.earliest()).toBe(0);
});

test("a slow answer does not widen what quick ones have told", () => {
  const { clock, ask, database } = createBed();
  ask(1_000_000, 0.5, 0.5);
  ask(1_000_000, 0, 5_000);
  expect(clock.now() - database(1_000_000)).toBeLessThan(5);
  expect(database(1_000_000) - clock.earliest()).toBeLessThan(5);
});

test("a clock that was set back is believed at once, and now stands still until it has caught up", () => {
  const { clock, wait, ask, database } = createBed();
  ask(1_000_000, 1, 1);
  const before = clock.now();
  ask(940_000, 1, 1);
  expect(clock.now()).toBe(before);
  expect(clock.until(database(940_000) + 500)).toBeGreaterThanOrEqual(500);
  expect(clock.until(database(940_000) + 500)).toBeLessThan(505);
  wait(70_000);
  expect(clock.now()).toBeGreaterThan(before);
});

test("the database's clock is never outside of what is known of it", () => {
  const step = fc.record({
    waited: fc.nat(60_000),
    there: fc.double({ min: 0, max: 3_000, noNaN: true }),
    back: fc.double({ min: 0, max: 3_000, noNaN: true }),
    drift: fc.double({ min: -0.0004, max: 0.0004, noNaN: true }),
  });
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 30 }), (steps) => {
      const { clock, wait, ask, database } = createBed();
      let ahead = 1_000_000;
      for (const { waited, there, back, drift } of steps) {
        wait(waited);
        ahead += waited * drift;
        ask(ahead, there, back);
        expect(clock.now()).toBeGreaterThanOrEqual(database(ahead) - 1e-6);
        expect(clock.earliest()).toBeLessThanOrEqual(database(ahead) + 1e-6);
      }
    }),
  );
});
