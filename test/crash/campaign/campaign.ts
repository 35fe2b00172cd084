/**
 * A campaign: users work while the service is killed again and again, alone, at fail points, together with its
 * database. Then quiet, then the checker.
 *
 *   node test/crash/campaign/campaign.ts --kills 50 --seed 7  by hand; keeps its folder when something is wrong
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { openGrpcClient } from "../../../src/api/client/grpc-client.ts";
import { FAIL_POINTS, type FailPoint } from "../../../src/base/process/fail-points.ts";
import { FlowService } from "../../../src/gen/orchestrator/v1/flow_service_pb.ts";
import { createRandom, type Random } from "../../oracle/random.ts";
import { eventually } from "../../support/eventually.ts";
import { findFreePort } from "../../support/free-port.ts";
import { findViolations } from "./checks.ts";
import { countMarked, countOpen, type Dump, readDump } from "./dump.ts";
import { createFlows } from "./flows.ts";
import { databaseOf, type ServiceProcess, startService } from "./service-process.ts";
import { openSink, type Sink } from "./sink.ts";
import { startUsers, type Users } from "./users.ts";

/** What to do. */
export interface CampaignOptions {
  readonly kills: number;
  readonly seed: number;
  readonly users?: number;
  /**
   * Arms these one after the other, one for each life of the service, instead of random ones: `commit.after=kill@3`.
   */
  readonly points?: readonly string[];
  /** Where things are said while it runs. */
  readonly say?: (line: string) => void;
}

/** One kill. */
interface Kill {
  readonly how: string;
  /** The service ended on its own, at a fail point. */
  readonly reached: boolean;
  readonly servedMs: number;
  /** Calls of users and of tools that were under way. */
  readonly inFlight: number;
}

/** What came of it. */
export interface CampaignResult {
  readonly seed: number;
  readonly violations: readonly string[];
  readonly kills: readonly Kill[];
  /** Fail points that were reached. */
  readonly points: readonly string[];
  readonly runs: number;
  readonly acknowledged: number;
  readonly recovered: number;
  /** Keys that the sink saw more than once. */
  readonly repeated: number;
  readonly byKind: Readonly<Record<string, number>>;
  /** Milliseconds to serving of a start after a stop in good order, and of starts after kills: median and longest. */
  readonly startMs: { readonly clean: number; readonly median: number; readonly longest: number };
  readonly folder: string;
}

/** Points that a running service comes by often; the others have tests of their own. */
const POINTS: readonly FailPoint[] = [
  "commit.before",
  "commit.after",
  "effects.before",
  "answer.before",
  "answer.after",
  "attempt.before",
  "attempt.after",
  "timer.fire",
  "child.start",
  "parent.tell",
  "lease.taken",
  "takeover.run",
];

const TESTING = { ORCHESTRATOR_TESTING: "true", ORCHESTRATOR_LEASE_TTL: "3s" };

/** With points of its own a campaign is about the borders, not about whom deaths are held against. */
const SHORT_PAUSES = { ORCHESTRATOR_TESTING: "true", ORCHESTRATOR_SUSPECT_PAUSE: "200ms" };

/** Now and then one of the points, at a hit that comes while there is work. */
function pickPoint(random: Random): string | null {
  if (!random.chance(0.4)) return null;
  const point = random.pick(POINTS);
  const isRare = point.startsWith("takeover") || point.startsWith("lease");
  return `${point}=kill@${random.int(1, isRare ? 3 : 40)}`;
}

/** How often a point that was not reached is armed again. */
const MAX_MISSES = 3;

/** How long a start may take before somebody would have to look. */
const START_LIMIT_MS = 30_000;
/** How long everything may take to end once nobody kills any more. */
const QUIET_LIMIT_MS = 60_000;

/** Runs a campaign. */
export async function runCampaign(options: CampaignOptions): Promise<CampaignResult> {
  const { kills, seed, users: userCount = 10, points, say = () => {} } = options;
  const random = createRandom(seed);
  const folder = mkdtempSync(join(tmpdir(), `crash-${seed}-`));
  mkdirSync(join(folder, "data"));
  const sink = await openSink();
  const plans = createFlows(sink.url);
  const port = await findFreePort();
  const target = databaseOf(join(folder, "data"));
  const start = (env: Record<string, string> = {}): ServiceProcess =>
    startService({
      dataDir: join(folder, "data"),
      port,
      logFile: join(folder, "service.log"),
      env: { ...(points === undefined ? {} : SHORT_PAUSES), ...env },
    });
  const client = openGrpcClient({ address: `127.0.0.1:${port}` });
  const done: Kill[] = [];
  // Flows of the campaign emit events, which only a service under test takes as long as nothing relays them.
  let service = start({ ORCHESTRATOR_TESTING: "true" });
  let armed: string | null = null;
  let missed = 0;
  let users: Users | null = null;
  try {
    await service.serving;
    for (const { flow } of Object.values(plans)) {
      const definition = { case: "documentJson" as const, value: new TextEncoder().encode(JSON.stringify(flow)) };
      await client.call(FlowService.method.registerFlow, { definition });
    }
    await service.stop();
    service = start();
    const clean = await service.serving;
    const history = join(folder, "history.jsonl");
    users = startUsers({
      client,
      plans,
      users: userCount,
      pauseMs: 120,
      random,
      historyFile: history,
      name: `c${seed}`,
    });
    for (let index = 0; index < kills; index += 1) {
      if (points !== undefined && armed !== null) {
        // A point that dies in a trial looks like the run that is tried: between two of them is a life in which that
        // run passes its trial.
        const death = await killOnce(service, armed, users, sink, random);
        say(`${armed}: ${death.how}`);
        done.push({ ...death, servedMs: -1 });
        armed = null;
        // What leads to a point may be missing in one life, such as a run to take over: the point is armed again.
        missed = death.reached ? 0 : missed + 1;
        if (missed > 0 && missed <= MAX_MISSES) index -= 1;
        service = start();
        await serves(service);
        const tried = async (): Promise<void> => {
          const marked = await countMarked(target);
          if (marked > 0) throw new Error(`${marked} suspects with a death wait for their trial`);
        };
        await eventually(tried, { timeoutMs: QUIET_LIMIT_MS, intervalMs: 100 });
        say("every suspect with a death has passed its trial");
      }
      const kill = await killOnce(service, armed, users, sink, random, points === undefined ? 2_200 : 600);
      const point = points === undefined ? pickPoint(random) : (points[index] ?? null);
      service = start(point === null ? {} : { ...TESTING, ORCHESTRATOR_FAIL_POINTS: point });
      const servedMs = await serves(service).catch((error: unknown) => {
        // Died at its fail point before it served: that is a kill, and the next start must do.
        if (point === null) throw error;
        return -1;
      });
      done.push({ ...kill, servedMs });
      say(
        `${index + 1}/${kills} ${kill.how}, back after ${servedMs.toFixed(0)} ms${point === null ? "" : `, armed ${point}`}`,
      );
      armed = point;
    }
    const last = await killOnce(service, armed, users, sink, random);
    if (armed !== null) done.push({ ...last, servedMs: -1 });
    service = start();
    await serves(service);
    const finished = users.finish().then(() => true);
    const allDone = await Promise.race([finished, sleep(QUIET_LIMIT_MS).then(() => false)]);
    const open = await eventually(
      async () => {
        const left = await countOpen(target);
        if (left.length > 0) throw new Error(JSON.stringify(left));
        return left;
      },
      { timeoutMs: QUIET_LIMIT_MS, intervalMs: 500 },
    ).catch((error: Error) => error.message);
    say(`quiet: ${typeof open === "string" ? `open runs: ${open}` : "nothing is open"}`);
    const dump = await readDump(target);
    await service.stop();
    const violations = findViolations({ history: users.history, dump, calls: sink.calls, plans });
    if (!allDone) violations.push("I7 users wait for answers that do not come");
    if (violations.length > 0) keep(folder, dump, sink, violations);
    else rmSync(folder, { recursive: true });
    return summarize({ seed, violations, done, dump, users, sink, clean, folder });
  } finally {
    await client.close();
    await service.kill("before");
    await sink.close();
  }
}

/** Lets the service work for a moment, then ends it; one with an armed fail point is given time to reach it. */
async function killOnce(
  service: ServiceProcess,
  armed: string | null,
  users: Users,
  sink: Sink,
  random: Random,
  longestMs = 2_200,
): Promise<Omit<Kill, "servedMs">> {
  const liveMs = random.int(300, longestMs);
  let inFlight = 0;
  const until = performance.now() + (armed === null ? liveMs : Math.max(liveMs, 4_000));
  // The point that a stop in good order comes by.
  if (armed?.startsWith("close") === true) void sleep(liveMs).then(() => service.stop());
  while (performance.now() < until && !service.isOver) {
    inFlight = users.busy + sink.busy;
    await sleep(20);
  }
  if (service.isOver) return { how: `died at ${armed}`, reached: (await service.exited) === null, inFlight };
  inFlight = users.busy + sink.busy;
  const how = random.pick(["alone", "alone", "before", "after"] as const);
  await service.kill(how === "alone" ? undefined : how);
  return { how: how === "alone" ? "killed" : `killed, database ${how}`, reached: false, inFlight };
}

async function serves(service: ServiceProcess): Promise<number> {
  const late = sleep(START_LIMIT_MS).then(() => Promise.reject(new Error("the service does not come back by itself")));
  return Promise.race([service.serving, late]);
}

function keep(folder: string, dump: Dump, sink: Sink, violations: readonly string[]): void {
  writeFileSync(join(folder, "dump.json"), JSON.stringify(dump, null, 1));
  writeFileSync(join(folder, "sink.jsonl"), sink.calls.map((call) => JSON.stringify(call)).join("\n"));
  writeFileSync(join(folder, "violations.txt"), violations.join("\n"));
}

interface Outcome {
  readonly seed: number;
  readonly violations: readonly string[];
  readonly done: readonly Kill[];
  readonly dump: Dump;
  readonly users: Users;
  readonly sink: Sink;
  readonly clean: number;
  readonly folder: string;
}

function summarize({ seed, violations, done, dump, users, sink, clean, folder }: Outcome): CampaignResult {
  const served = done
    .map((kill) => kill.servedMs)
    .filter((ms) => ms >= 0)
    .toSorted((a, b) => a - b);
  const keys = Map.groupBy(sink.calls, (call) => call.key);
  const tally = Map.groupBy(dump.runs, (run) => run.flow_id);
  return {
    seed,
    violations,
    kills: done,
    points: [...new Set(done.filter((kill) => kill.reached).map((kill) => kill.how.replace(/^died at |=.*/g, "")))],
    runs: dump.runs.length,
    acknowledged: users.history.filter((line) => line.op === "start" && line.outcome === "ok").length,
    recovered: dump.runs.filter((run) =>
      run.transitions.some((transition) => transition.records.some((one) => one.type === "run.recovered")),
    ).length,
    repeated: [...keys.values()].filter((calls) => new Set(calls.map((call) => call.attempt)).size < calls.length)
      .length,
    byKind: Object.fromEntries([...tally].map(([kind, runs]) => [kind, runs.length])),
    startMs: { clean, median: served[served.length >> 1] ?? 0, longest: served.at(-1) ?? 0 },
    folder,
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const option = (name: string, fallback: number): number => {
    const place = process.argv.indexOf(`--${name}`);
    return place < 0 ? fallback : Number(process.argv[place + 1]);
  };
  const known = Object.keys(FAIL_POINTS).length;
  const result = await runCampaign({
    kills: option("kills", 50),
    seed: option("seed", Math.floor(Math.random() * 1e6)),
    users: option("users", 10),
    say: console.log,
  });
  const { violations, kills, ...rest } = result;
  console.log(
    rest,
    `${kills.filter((kill) => kill.inFlight > 0).length} kills with calls in flight`,
    `${known} fail points`,
  );
  for (const violation of violations) console.log(violation);
  process.exit(violations.length === 0 ? 0 : 1);
}
