/**
 * Two releases change places on one database while users work: the older one is killed and started again on the
 * migrated schema, the upgrade is undone, done again, and finalized. Nothing that was acknowledged is lost.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { openGrpcClient } from "../../src/api/client/grpc-client.ts";
import type { JsonObject } from "../../src/base/json/json.ts";
import { FlowService } from "../../src/gen/orchestrator/v1/flow_service_pb.ts";
import { RunService } from "../../src/gen/orchestrator/v1/run_service_pb.ts";
import { UpgradeService, UpgradeState } from "../../src/gen/orchestrator/v1/upgrade_service_pb.ts";
import { createRandom } from "../oracle/random.ts";
import { eventually } from "../support/eventually.ts";
import { findFreePort } from "../support/free-port.ts";
import { createTestDatabase } from "../support/postgres.ts";
import { createTemporaryFolder } from "../support/temporary-folder.ts";
import { findViolations } from "./campaign/checks.ts";
import { readDump } from "./campaign/dump.ts";
import { createFlows } from "./campaign/flows.ts";
import { type ServiceProcess, startService } from "./campaign/service-process.ts";
import { openSink } from "./campaign/sink.ts";
import { startUsers } from "./campaign/users.ts";
import { type Build, makeNextRelease, unpackOldRelease } from "./upgrade/builds.ts";

/** How long a state of the fleet lasts under load, milliseconds. */
const STAGE_MS = 2_500;

const encode = (value: JsonObject): Uint8Array => new TextEncoder().encode(JSON.stringify(value));

// One for each try: the old release does not start on a database whose upgrade was finalized.
const databases = [await createTestDatabase({ empty: true }), await createTestDatabase({ empty: true })];

test("two releases work side by side, an old instance restarts, the upgrade is undone and finalized, and nothing is lost", {
  timeout: 300_000,
}, async () => {
  const { url, target } = databases.shift() ?? expect.fail("there is no third try");
  const old = unpackOldRelease();
  const next = makeNextRelease();
  const folder = createTemporaryFolder();
  const fleet: ServiceProcess[] = [];
  onTestFinished(async () => {
    for (const service of fleet) await service.kill();
  });
  const ports = [await findFreePort(), await findFreePort()];
  /** Starts a build at one of the two places. */
  const launch = (place: 0 | 1, { main, name }: Build): ServiceProcess => {
    const dataDir = join(folder, `${name}-${place}`);
    mkdirSync(dataDir, { recursive: true });
    const service = startService({
      ...{ dataDir, port: ports[place] ?? 0, logFile: join(folder, `${place}.log`), main },
      env: {
        ...{ ORCHESTRATOR_DATABASE_URL: url, ORCHESTRATOR_LEASE_TTL: "3s" },
        // Flows of the campaign emit events, which nothing here relays.
        ...{ ORCHESTRATOR_TESTING: "true", ORCHESTRATOR_SUSPECT_PAUSE: "200ms" },
      },
    });
    fleet[place] = service;
    return service;
  };
  const replace = async (place: 0 | 1, build: Build): Promise<void> => {
    expect(await fleet[place]?.stop()).toBe(0);
    await launch(place, build).serving;
    await sleep(STAGE_MS);
  };
  const clients = ports.map((port) => openGrpcClient({ address: `127.0.0.1:${port}` }));
  const [client] = clients;
  if (client === undefined) throw new Error("unreachable");
  onTestFinished(async () => {
    for (const one of clients) await one.close();
  });
  await launch(0, old).serving;
  await launch(1, old).serving;

  const sink = await openSink();
  onTestFinished(() => sink.close());
  const plans = createFlows(sink.url);
  const limited = {
    id: "limited",
    workflow: { limit: { name: "l", max_concurrent: 1 }, tasks: [{ id: "t", type: "noop" }] },
  };
  for (const flow of [...Object.values(plans).map((plan) => plan.flow), limited])
    await client.call(FlowService.method.registerFlow, {
      definition: { case: "documentJson", value: encode(flow) },
    });
  const groups = clients.map((one, index) =>
    startUsers({
      ...{ client: one, plans, users: 4, pauseMs: 120, random: createRandom(index + 1) },
      ...{ historyFile: join(folder, `history-${index}.jsonl`), name: `u${index}` },
    }),
  );
  await sleep(STAGE_MS);

  // An instance of the next release migrates, and an old one dies and comes back.
  await replace(0, next);
  const upgradeOf = async () => (await client.call(UpgradeService.method.getUpgrade, {})).upgrade;
  expect(await upgradeOf()).toMatchObject({ state: UpgradeState.INCOMPLETE });
  await fleet[1]?.kill();
  await launch(1, old).serving;
  await sleep(STAGE_MS);
  await expect(client.call(UpgradeService.method.finalizeUpgrade, {})).rejects.toMatchObject({
    code: "UPGRADE_INCOMPLETE",
  });

  // The upgrade is undone, and done again.
  await replace(0, old);
  await replace(0, next);
  await replace(1, next);
  const startLimited = () => client.call(RunService.method.startRun, { flowId: "limited", wait: { seconds: 5n } });
  expect(await upgradeOf()).toMatchObject({ state: UpgradeState.READY });
  await eventually(async () =>
    expect(await startLimited().catch((error: unknown) => error)).toMatchObject({ code: "UPGRADE_NOT_FINALIZED" }),
  );
  const finalized = (await client.call(UpgradeService.method.finalizeUpgrade, {})).upgrade;
  expect(finalized).toMatchObject({ state: UpgradeState.FINALIZED });
  await eventually(async () => expect((await startLimited()).run?.state).toBeDefined());

  // The release before does not come back.
  expect(await fleet[1]?.stop()).toBe(0);
  const late = launch(1, old);
  await expect(late.serving).rejects.toThrow(/the upgrade to version \d+ of the journal was finalized/);
  expect(await late.exited).toBe(5);
  await launch(1, next).serving;

  for (const users of groups) await users.finish();
  const history = groups.flatMap((users) => users.history);
  const dump = await eventually(
    async () => {
      const read = await readDump(target);
      expect(read.runs.filter(({ ended_at }) => ended_at === null)).toEqual([]);
      return read;
    },
    { timeoutMs: 60_000, intervalMs: 500 },
  );
  for (const service of fleet) expect(await service.stop()).toBe(0);
  const campaign = { ...dump, runs: dump.runs.filter(({ flow_id }) => flow_id !== "limited") };
  expect(findViolations({ history, dump: campaign, calls: sink.calls, plans })).toEqual([]);
  const started = history.filter(({ op, outcome }) => op === "start" && outcome === "ok");
  expect(started.length).toBeGreaterThan(50);
});
