/**
 * What routing costs a call: `POST /orchestrator/tasks` of a service that answers at once, against the same call made
 * directly, and against a bare proxy that keeps the same durable record. Rounds of all three take turns, so that drift
 * affects all; figures are medians over the rounds.
 *
 *   directP50Ms, routedP50Ms, proxyP50Ms   one call at a time
 *   addedP50Ms                             what routing adds
 *   commitP50Ms                            one commit of a journal row
 *   addedShare                             what routing adds ÷ (2 commits + 1 ms)
 *   routedPerSecond, proxyPerSecond        50 calls in flight
 *   rateShare                              routed ÷ proxy
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtemp } from "node:fs/promises";
import { Agent, request } from "node:http";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import pg from "pg";
import { serveFigures } from "../../harness/figures.ts";
import { median } from "../../harness/load.ts";
import { startServiceProcess } from "../service-process.ts";

const IN_FLIGHT = 50;

serveFigures(async (settings) => {
  const databaseUrl = String(settings.databaseUrl);
  const [count, rounds] = [Number(settings.count), Number(settings.rounds)];
  const target = `http://127.0.0.1:${await forkServer("target.ts", [])}`;
  const proxy = `http://127.0.0.1:${await forkServer("../../peers/routing-proxy.ts", [databaseUrl, target])}`;
  const folder = await mkdtemp(join(String(settings.folder), "routing-"));
  const service = await startServiceProcess({
    databaseUrl,
    dataDir: folder,
    env: { ORCHESTRATOR_ROUTING_SERVICES: JSON.stringify({ target: { url: target } }), REGISTRY_CACHE_DIR: folder },
  });
  const order = { droplet_name: "target", method: "GET", path: "/echo" };
  const direct = () => call(`${target}/echo`);
  const routed = () => call(`http://127.0.0.1:${service.port}/orchestrator/tasks`, order);
  const proxied = () => call(proxy, order);
  const commit = await openCommits(databaseUrl);

  const alone: Record<"direct" | "routed" | "proxy" | "commit", number[]> = {
    ...{ direct: [], routed: [], proxy: [], commit: [] },
  };
  const rates: Record<"routed" | "proxy", number[]> = { routed: [], proxy: [] };
  for (let round = 0; round <= rounds; round++) {
    const p50 = {
      direct: await timeAlone(direct, count),
      routed: await timeAlone(routed, count),
      proxy: await timeAlone(proxied, count),
      commit: await timeAlone(commit, count),
    };
    const rate = { routed: await measureRate(routed, 5 * count), proxy: await measureRate(proxied, 5 * count) };
    // The first round warms up.
    if (round === 0) continue;
    for (const name of ["direct", "routed", "proxy", "commit"] as const) alone[name].push(p50[name]);
    for (const name of ["routed", "proxy"] as const) rates[name].push(rate[name]);
  }
  await service.close();
  const [directP50Ms, routedP50Ms, proxyP50Ms] = [median(alone.direct), median(alone.routed), median(alone.proxy)];
  const commitP50Ms = median(alone.commit);
  const addedP50Ms = routedP50Ms - directP50Ms;
  const [routedPerSecond, proxyPerSecond] = [median(rates.routed), median(rates.proxy)];
  return {
    ...{ directP50Ms, routedP50Ms, proxyP50Ms, commitP50Ms, addedP50Ms, routedPerSecond, proxyPerSecond },
    addedShare: addedP50Ms / (2 * commitP50Ms + 1),
    rateShare: routedPerSecond / proxyPerSecond,
  };
});

/** Forks a server of this folder; it ends with this process. Returns its port. */
async function forkServer(file: string, args: readonly string[]): Promise<number> {
  const child = fork(fileURLToPath(new URL(file, import.meta.url)), args, {
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  const [port] = (await once(child, "message")) as [number];
  return port;
}

const agent = new Agent({ keepAlive: true, maxSockets: 256 });

function call(url: string, body?: object): Promise<void> {
  const text = body === undefined ? "" : JSON.stringify(body);
  const headers = { "content-type": "application/json", "content-length": Buffer.byteLength(text) };
  const options = body === undefined ? { agent } : { agent, method: "POST", headers };
  return new Promise((resolve, reject) => {
    const sent = request(url, options, (answer) => {
      answer.resume();
      answer.once("error", reject).once("end", () => {
        if (answer.statusCode === 200) resolve();
        else reject(new Error(`${url} answered ${answer.statusCode}`));
      });
    });
    sent.once("error", reject).end(text);
  });
}

/** Commits of one journal row, one after the other, as the bare proxy's tables have them. */
async function openCommits(databaseUrl: string): Promise<() => Promise<void>> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  const text = `INSERT INTO bare.journal (run_day, run_id, sequence, record_count, written_at, records)
    VALUES (1, 'commit', $1, 2, now(), '[{"type":"task.completed"},{"type":"run.completed"}]')`;
  let sequence = 0;
  return async () => {
    sequence += 1;
    await client.query({ name: "commit", text, values: [sequence] });
  };
}

async function timeAlone(work: () => Promise<void>, count: number): Promise<number> {
  const times: number[] = [];
  for (let index = 0; index < count; index++) {
    const began = performance.now();
    await work();
    times.push(performance.now() - began);
  }
  return median(times);
}

/** Calls per second with several in flight. */
async function measureRate(work: () => Promise<void>, count: number): Promise<number> {
  const began = performance.now();
  let left = count;
  const lane = async (): Promise<void> => {
    while (left-- > 0) await work();
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, lane));
  return (1_000 * count) / (performance.now() - began);
}
