/** Levels of the log that operators change for a time. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { openLogger } from "../../../../src/telemetry/log/logger.ts";
import { RecentLines } from "../../../../src/telemetry/log/recent-lines.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

async function openBed(level: "debug" | "info" | "warn" | "error" | "trace" = "info") {
  const lines: Record<string, unknown>[] = [];
  const log = await openLogger({
    ...{ level, format: "json" },
    redact: (line) => line.replaceAll("hunter2", "[redacted]"),
    destination: { write: (line: string) => void lines.push(JSON.parse(line)) },
  });
  const messages = () => lines.splice(0).map(({ message }) => message);
  return { log, lines, messages };
}

test("a level is in force for its time, the log says who set it and why, and then the configured one is back", async () => {
  const { log, lines, messages } = await openBed("warn");
  log.info("before");
  log.levels.override({ component: null, level: "debug", forMs: 60_000, by: "ann", why: "runs are late" });
  expect(lines.at(-1)).toMatchObject({
    ...{ level: "info", message: "the log level was set for a time" },
    ...{ log_level: "debug", by: "ann", why: "runs are late", for_ms: 60_000 },
  });
  lines.length = 0;
  log.debug("during");
  vi.advanceTimersByTime(60_000);
  log.info("after");
  expect(messages()).toEqual(["during", "the time of a log level is up"]);
  expect(log.levels.overrides()).toEqual([]);
});

test("the level of a part comes before that of all, and its lines name it", async () => {
  const { log, lines, messages } = await openBed();
  const kafka = log.of("kafka");
  log.levels.override({ component: "kafka", level: "debug", forMs: 60_000, by: "", why: "" });
  log.levels.override({ component: null, level: "error", forMs: 60_000, by: "", why: "" });
  lines.length = 0;
  kafka.debug("k", { topic: "t" });
  log.of("redis").warn("r");
  log.warn("a");
  expect(lines).toMatchObject([{ message: "k", component: "kafka", topic: "t" }]);
  log.levels.reset("kafka", "ann", "found it");
  expect(messages()).toEqual(["k", "the log level was set back"]);
  kafka.warn("k");
  expect(lines).toEqual([]);
  expect(log.levels.overrides()).toMatchObject([{ component: null, level: "error" }]);
});

test("a second override takes the place of the first, with its own time", async () => {
  const { log, messages } = await openBed();
  log.levels.override({ component: null, level: "debug", forMs: 1_000, by: "", why: "" });
  log.levels.override({ component: null, level: "error", forMs: 5_000, by: "", why: "" });
  messages();
  vi.advanceTimersByTime(2_000);
  log.warn("no");
  expect(messages()).toEqual([]);
  vi.advanceTimersByTime(3_000);
  log.info("yes");
  expect(messages()).toEqual(["the time of a log level is up", "yes"]);
});

test("a reset without an override says nothing", async () => {
  const { log, lines } = await openBed();
  log.levels.reset(null, "ann", "");
  expect(lines).toEqual([]);
});

test("trace is as debug: no line is less important", async () => {
  const { log, messages } = await openBed("trace");
  log.debug("d");
  expect(messages()).toEqual(["d"]);
});

test("the last warnings and errors are kept as they were written, without secrets", async () => {
  const { log } = await openBed("debug");
  log.info("fine");
  log.warn("bad", { url: "http://x:hunter2@y" });
  log.of("store").error("worse", { password: "p" });
  const kept = log.recent
    .text()
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(kept).toMatchObject([
    { message: "bad", url: "http://x:[redacted]@y" },
    { message: "worse", password: "[redacted]", component: "store" },
  ]);
});

test("as many lines are kept as fit", () => {
  const recent = new RecentLines();
  for (let n = 0; n < 600; n += 1) recent.add(`${n}\n`);
  expect(recent.text().split("\n").length).toBe(501);
  expect(recent.text()).toMatch(/^100\n/);
  for (let n = 0; n < 10; n += 1) recent.add(`${"x".repeat(100_000)}\n`);
  expect(recent.text().length).toBeLessThan(262_144);
});
