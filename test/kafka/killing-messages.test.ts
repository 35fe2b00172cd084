/** Messages that kill the process that reads them, and processes that are killed while they read innocent ones. */
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Consumer, Producer } from "@platformatic/kafka";
import { afterAll, afterEach, expect, onTestFinished, test } from "vitest";
import { type ServiceProcess, startService } from "../crash/campaign/service-process.ts";
import { eventually } from "../support/eventually.ts";
import { findFreePort } from "../support/free-port.ts";
import { flowRunRequest, type KafkaService, openKafkaService } from "../support/kafka-service.ts";
import { createTemporaryFolder } from "../support/temporary-folder.ts";

// Positions and suspects of one test are none of the other's.
const places = [await openKafkaService(), await openKafkaService()] as const;
afterAll(() => Promise.all(places.map((place) => place.close())));

const services: ServiceProcess[] = [];

afterEach(async () => {
  for (const service of services.splice(0)) await service.kill();
});

const TASKS = [{ id: "a", type: "transform", parameters: { output: 1 } }];
const newRuns = (count: number): string[] => Array.from({ length: count }, () => randomUUID());

/** Processes that may die at any time, on a database and topics of their own. */
async function openPlace(kafka: KafkaService, env: Record<string, string> = {}) {
  const folder = createTemporaryFolder();
  const port = await findFreePort();
  const lines: string[] = [];
  const start = (more: Record<string, string> = {}): ServiceProcess => {
    const service = startService({
      ...{ dataDir: join(folder, "data"), port, logFile: join(folder, "service.log") },
      onLine: (line) => lines.push(line),
      env: {
        // Deaths here are kills. A start on a busy machine may take longer than a watchdog with so short a lease
        // allows.
        ...{ ORCHESTRATOR_LEASE_TTL: "2s", ORCHESTRATOR_MAX_LOOP_STALL: "0", ORCHESTRATOR_TESTING: "true" },
        ...{ ...kafka.env, ...env, ...more },
      },
    });
    services.push(service);
    return service;
  };
  const rejected = async () =>
    (
      await kafka.database.reads.query<{ reason: string; key: Buffer; value: Buffer; headers: Buffer[] }>(
        "SELECT reason, key, value, headers FROM orchestrator.rejected_messages",
      )
    ).rows;
  return { ...kafka, start, rejected, lines };
}

type Place = Awaited<ReturnType<typeof openPlace>>;

/** Starts one process after the other until `isOver`; returns the signals that ended them. */
async function untilItStays(place: Place, isOver: () => Promise<boolean>): Promise<(string | null)[]> {
  const deaths: (string | null)[] = [];
  for (;;) {
    const service = place.start();
    while (!service.isOver) {
      if (await isOver()) return deaths;
      await sleep(50);
    }
    deaths.push((await service.ended).signal);
    expect(deaths.length).toBeLessThan(12);
  }
}

test("a message that kills its readers is rejected after three deaths, and all others are applied", {
  timeout: 240_000,
}, async () => {
  const place = await openPlace(places[0], {
    ORCHESTRATOR_FAIL_POINTS: "run.decide[bad]=kill",
    ORCHESTRATOR_SUSPECT_PAUSE: "200ms",
  });
  const { prefix, broker } = place;
  const runIds = newRuns(60);
  const bad = JSON.stringify(flowRunRequest("bad", TASKS));
  await place.send("flow_runs", ...runIds.slice(0, 30).map((runId) => flowRunRequest(runId, TASKS)));
  const raw = new Producer<string, string, string, string>({
    ...{ clientId: "raw", bootstrapBrokers: [broker] },
    serializers: {
      key: (text = "") => Buffer.from(text),
      value: (text = "") => Buffer.from(text),
      headerKey: (text = "") => Buffer.from(text),
      headerValue: (text = "") => Buffer.from(text),
    },
  });
  onTestFinished(() => raw.close(true));
  const headers = new Map([["trace", "t-1"]]);
  await raw.send({ messages: [{ topic: `${prefix}flow_runs`, key: "bad", value: bad, headers }] });
  await place.send("flow_runs", ...runIds.slice(30).map((runId) => flowRunRequest(runId, TASKS)));
  const deaths = await untilItStays(place, async () => (await place.rejected()).length > 0);
  // Two before it was tried alone, at most, and three of which it was the cause for sure.
  expect(deaths).not.toContain(null);
  expect(deaths.length).toBeGreaterThanOrEqual(3);
  expect(deaths.length).toBeLessThanOrEqual(5);
  await place.untilCompleted(runIds);
  expect(await place.rejected()).toEqual([
    {
      ...{ reason: "KILLS_ITS_READER", key: Buffer.from("bad"), value: Buffer.from(bad) },
      headers: [Buffer.from("trace"), Buffer.from("t-1")],
    },
  ]);
  // It stays dead, and what comes is applied.
  const [next = ""] = newRuns(1);
  await place.send("flow_runs", flowRunRequest(next, TASKS));
  await place.untilCompleted([next], 10_000);
  expect(services.at(-1)?.isOver).toBe(false);
  expect((await place.database.reads.query("SELECT 1 FROM orchestrator.kafka_suspects")).rows).toEqual([]);
  const letters: unknown[] = [];
  const consumer = new Consumer({ clientId: "letters", groupId: `${prefix}letters`, bootstrapBrokers: [broker] });
  const stream = await consumer.consume({ topics: [`${prefix}dead_letter_queue`], mode: "earliest" });
  stream.on("data", ({ value }: { readonly value: Buffer }) => letters.push(JSON.parse(value.toString())));
  onTestFinished(async () => {
    await stream.close();
    await consumer.close(true);
  });
  await eventually(() => expect(letters).toHaveLength(1), { timeoutMs: 20_000 });
  expect(letters).toMatchObject([
    {
      ...{ event_type: "message_rejected", reason: "KILLS_ITS_READER", topic: `${prefix}flow_runs` },
      value: Buffer.from(bad).toString("base64"),
      headers: [{ name: "trace", value: Buffer.from("t-1").toString("base64") }],
    },
  ]);
});

// Cause: whatever was in progress at a kill from outside would be rejected after three of them.
test("kills from outside, at any pace and under load, reject nothing", { timeout: 400_000 }, async () => {
  const place = await openPlace(places[1]);
  const runIds: string[] = [];
  const sendSome = async (): Promise<void> => {
    const more = newRuns(150);
    runIds.push(...more);
    await place.send("flow_runs", ...more.map((runId) => flowRunRequest(runId, TASKS)));
  };
  const isReading = (from: number): boolean =>
    place.lines.slice(from).filter((line) => line.includes('"reading a partition"')).length >= 4;
  await sendSome();
  // Before anything is stored, in the first trials, and later.
  for (const afterMs of [0, 0, 50, 100, 150, 200, 300, 50, 100, 200, 400, 800, 0, 100, 1_500, 50, 100, 150]) {
    const from = place.lines.length;
    const service = place.start();
    await eventually(() => expect(isReading(from)).toBe(true), { timeoutMs: 60_000, intervalMs: 5 });
    await sleep(afterMs);
    await service.kill();
    await sendSome();
  }
  place.start();
  await place.untilCompleted(runIds, 180_000);
  expect(await place.rejected()).toEqual([]);
  // They were tried, and some of them were in progress at a kill.
  expect(place.lines.some((line) => line.includes("messages are tried one after the other"))).toBe(true);
  const marked = "SELECT 1 FROM orchestrator.owner_deaths WHERE moment = 'message'";
  expect((await place.database.reads.query(marked)).rows.length).toBeGreaterThan(0);
});
