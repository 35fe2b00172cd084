/** What triggers ask of runs at other instances that die of it: each death is told, and the call is made again. */
import { createServer, type Http2Server } from "node:http2";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { openSender } from "../../../../src/api/peers/forward-send.ts";
import { createRouter } from "../../../../src/api/peers/router.ts";
import { createTriggerCalls } from "../../../../src/api/trigger-calls.ts";
import { toError } from "../../../../src/base/errors.ts";
import type { Cluster, Place } from "../../../../src/engine/ports/cluster.ts";
import type { RunControl } from "../../../../src/engine/ports/run-control.ts";

/** After so many nobody is found any more. */
const DEATHS = 3;

/** Where nobody answers. */
const DEAD = "127.0.0.1:1";

/** An instance whose process ends when a call arrives. */
async function startDoomed(): Promise<string> {
  const server: Http2Server = createServer((request) => request.stream.session?.destroy());
  server.on("sessionError", () => undefined);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Calls of an instance that owns nothing, and drains after the last of `places`, where the run is found in turn. */
function openCalls(places: Place[]) {
  const view = { others: [], epochs: 1 };
  const draining = new AbortController();
  const locate = async (_: string, unreachable = DEAD): Promise<Place | null> => {
    // On a busy machine the connection to one that is there may take too long.
    const place = unreachable === DEAD ? places.shift() : ({ address: unreachable } as Place);
    if (place === undefined) draining.abort();
    return place ?? null;
  };
  const cluster = { view: () => view, locate } as unknown as Cluster;
  const sender = openSender({ callers: { sign: () => ({}) }, cluster, maxMessageBytes: 1_000_000 });
  onTestFinished(() => sender.close());
  const { route } = createRouter({ cluster, sender, draining: draining.signal });
  const isElsewhere = (): Promise<never> => Promise.reject(toError("RUN_MOVED", { runId: "r" }));
  const runControl = { startRun: isElsewhere, signalRun: isElsewhere } as unknown as RunControl;
  return createTriggerCalls({
    ...{ route, runControl, stopping: new AbortController().signal },
    ...{ runReader: {}, flows: {}, limits: { maxPayloadBytes: 1_000_000 } },
  } as unknown as Parameters<typeof createTriggerCalls>[0]);
}

const START = {
  ...{
    flowId: "f",
    version: "",
    input: {},
    runKey: "k",
    requestId: "event",
    labels: {},
    correlationId: "",
    userId: "",
  },
  runKeyPolicy: "terminate_and_start",
} as const;
const SIGNAL = { runId: "r", name: "paid", payload: 1, requestId: "event" };

test.each([
  ["a start with a key", (calls: ReturnType<typeof openCalls>, died: () => void) => calls.start("t", "a", START, died)],
  ["a signal", (calls: ReturnType<typeof openCalls>, died: () => void) => calls.signal("t", "a", SIGNAL, died)],
])("%s counts the instances that die of it, and not those that are not there", { timeout: 60_000 }, async (_, call) => {
  const places: Place[] = [];
  for (let death = 0; death < DEATHS; death += 1) places.push({ address: await startDoomed() } as Place);
  places.push({ address: DEAD } as Place);
  let deaths = 0;
  await expect(call(openCalls(places), () => (deaths += 1))).rejects.toMatchObject({ code: "RUN_MOVED" });
  expect(places).toEqual([]);
  expect(deaths).toBe(DEATHS);
});
