/**
 * The service, and the service with its database, killed at random under load. ORCHESTRATOR_CRASH_SEED replays a
 * campaign, ORCHESTRATOR_CRASH_KILLS makes it longer: each run of CI is short and has another seed.
 */
import { expect, test } from "vitest";
import { FAIL_POINTS, type FailPoint } from "../../src/base/process/fail-points.ts";
import { type CampaignResult, runCampaign } from "./campaign/campaign.ts";

const kills = Number(process.env.ORCHESTRATOR_CRASH_KILLS ?? 12);
const seed = Number(process.env.ORCHESTRATOR_CRASH_SEED ?? Math.floor(Math.random() * 1_000_000));

/** Prints what a campaign was like, so that a figure and its seed are never lost. */
function tell({ violations, kills: done, byKind, ...rest }: CampaignResult): void {
  const busy = done.filter((kill) => kill.inFlight > 0).length;
  console.log(
    JSON.stringify({ ...rest, kills: done.length, inFlight: busy, violations: violations.length, ...byKind }),
  );
}

test(`${kills} kills under load lose nothing, double nothing, and need no hand (seed ${seed})`, {
  timeout: 600_000,
}, async () => {
  const result = await runCampaign({ kills, seed });
  tell(result);
  expect(result.violations.slice(0, 20), `see ${result.folder}, replay with ORCHESTRATOR_CRASH_SEED=${seed}`).toEqual(
    [],
  );
  // A campaign in which nothing happens proves nothing.
  expect(result.kills.length).toBeGreaterThanOrEqual(kills);
  expect(result.kills.filter((kill) => kill.inFlight > 0).length).toBeGreaterThanOrEqual(kills * 0.6);
  expect(result.acknowledged).toBeGreaterThan(kills * 5);
  expect(result.recovered).toBeGreaterThan(kills);
  expect(result.repeated).toBeGreaterThan(kills / 2);
  expect(result.kills.filter((kill) => kill.how.includes("database")).length).toBeGreaterThanOrEqual(kills * 0.1);
  for (const [kind, count] of Object.entries(result.byKind)) expect(count, kind).toBeGreaterThan(kills / 5);
  expect(Object.keys(result.byKind)).toHaveLength(13);
  // Coming back takes about as long as an ordinary start.
  expect(result.startMs.median).toBeLessThan(result.startMs.clean * 5);
});

/** How each fail point is reached; those that are missing here are met by ordinary work. */
const ARMED: Partial<Record<FailPoint, string>> = {
  "lease.taken": "lease.taken=kill@1",
  "close.drained": "close.drained=kill@1",
  "takeover.run": "takeover.run=kill@1",
  "lease.renew": "lease.renew=kill@2",
  "unknown.raised": "commit.after=throw@20,unknown.raised=kill@1",
  "start.taken": "start.taken=kill@1",
};

test("a death at every durable border loses nothing and doubles nothing", { timeout: 600_000 }, async () => {
  const names = Object.keys(FAIL_POINTS) as FailPoint[];
  const points = names.map((name) => ARMED[name] ?? `${name}=kill@${1 + (seed % 7)}`);
  const result = await runCampaign({ kills: points.length, seed, points, users: 6 });
  tell(result);
  expect(result.violations.slice(0, 20), `see ${result.folder}, replay with ORCHESTRATOR_CRASH_SEED=${seed}`).toEqual(
    [],
  );
  const reached = result.kills.filter((kill) => kill.reached).map((kill) => kill.how.replace("died at ", ""));
  expect(reached.toSorted()).toEqual(points.toSorted());
});
