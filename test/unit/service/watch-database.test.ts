// Probes said "ready" for up to 15 s while the database was away: it was looked at by the clock alone.
import { afterEach, expect, test } from "vitest";
import { createHealth } from "../../../src/api/health.ts";
import { toError } from "../../../src/base/errors.ts";
import { silentLog } from "../../../src/base/log.ts";
import { watchDatabase } from "../../../src/service/watch-database.ts";
import type { SqlPool } from "../../../src/store/sql/sql.ts";
import { eventually } from "../../support/eventually.ts";

const HOUR_MS = 3_600_000;
let end: () => void = () => undefined;
afterEach(() => end());

/** A database whose answer is steered, and the health that is told about it. */
function begin(times = { everyMs: HOUR_MS, againMs: HOUR_MS, answerMs: HOUR_MS }) {
  const health = createHealth();
  health.setServing(true);
  let trouble: () => void = () => undefined;
  const state = { asked: 0, readAt: Number.NEGATIVE_INFINITY, answer: (): Promise<unknown> => Promise.resolve() };
  const query = async () => {
    state.asked += 1;
    await state.answer();
    return { rows: [], count: 0 };
  };
  const stats = () => ({ answeredAt: state.readAt });
  const reads = { query, stats } as unknown as SqlPool;
  const watch = watchDatabase({ reads, onTrouble: (listener) => (trouble = listener) }, health, silentLog, times);
  end = watch.stop;
  return { watch, health, state, trouble: () => trouble() };
}

const away = () => Promise.reject(toError("STORE_UNAVAILABLE", { problem: "away" }));

test("a connection that breaks is looked after at once, and while the database is away no more than that", async () => {
  const { health, state, trouble } = begin();
  trouble();
  await eventually(() => expect(state.asked).toBe(1));
  expect(health.check("")).toBe("SERVING");
  state.answer = away;
  trouble();
  await eventually(() => expect(health.check("")).toBe("NOT_SERVING"));
  trouble();
  expect(state.asked).toBe(2);
});

test("a probe looks, but not again when somebody has just looked", async () => {
  const { health, state } = begin();
  state.answer = away;
  await Promise.all([health.refresh(), health.refresh()]);
  expect(health.missing()).toEqual(["database"]);
  await health.refresh();
  expect(state.asked).toBe(1);
});

test("a database that does not answer in time is not there", async () => {
  const { watch, health, state } = begin({ everyMs: HOUR_MS, againMs: HOUR_MS, answerMs: 20 });
  state.answer = () => new Promise(() => undefined);
  expect(watch.connection).toMatchObject({ connected: true, problem: "" });
  await health.refresh();
  expect(health.check("")).toBe("NOT_SERVING");
  expect(watch.connection.connected).toBe(false);
  expect(watch.connection.problem).not.toBe("");
});

test("one that is away is looked at often, and its return is seen", async () => {
  const { health, state, trouble } = begin({ everyMs: HOUR_MS, againMs: 10, answerMs: HOUR_MS });
  state.answer = away;
  trouble();
  await eventually(() => expect(health.check("")).toBe("NOT_SERVING"));
  state.answer = () => Promise.resolve();
  await eventually(() => expect(health.check("")).toBe("SERVING"));
});

test("it is not asked while others read, and then it is", async () => {
  const { state } = begin({ everyMs: 20, againMs: HOUR_MS, answerMs: HOUR_MS });
  state.readAt = performance.now() + 100;
  await eventually(() => expect(state.asked).toBe(1));
  expect(performance.now()).toBeGreaterThanOrEqual(state.readAt);
});
