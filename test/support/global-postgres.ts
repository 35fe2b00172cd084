/**
 * One PostgreSQL server for a test run: the embedded one in a temporary folder, or with ORCHESTRATOR_TEST_POSTGRES15=1
 * the machine's PostgreSQL 15 that `scripts/ci-services.sh` starts. It has one database with the newest schema, which
 * each test file clones.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { silentLog } from "../../src/base/log.ts";
import { openEmbeddedPostgres } from "../../src/store/embedded/embedded-postgres.ts";
import { runMigrations } from "../../src/store/sql/migrate.ts";
import { openDatabase } from "../../src/store/sql/pool.ts";
import { TEMPLATE_DATABASE, type TestServer, testTarget } from "./test-server.ts";

declare module "vitest" {
  interface ProvidedContext {
    postgres: TestServer;
  }
}

interface Running {
  readonly server: TestServer;
  stop(): Promise<void>;
}

// Every project of the run loads this file; the server is shared through the process.
const holder = globalThis as { orchestratorTestPostgres?: { users: number; running: Promise<Running> } };

/** Starts the server for the first project that needs it; stops it after the last. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  holder.orchestratorTestPostgres ??= { users: 0, running: start() };
  const shared = holder.orchestratorTestPostgres;
  shared.users++;
  project.provide("postgres", (await shared.running).server);
  return async () => {
    shared.users--;
    if (shared.users > 0) return;
    delete holder.orchestratorTestPostgres;
    await (await shared.running).stop();
  };
}

async function start(): Promise<Running> {
  const running = process.env.ORCHESTRATOR_TEST_POSTGRES15 === "1" ? startPostgres15() : await startEmbedded();
  const admin = await openDatabase({ target: testTarget(running.server, "postgres"), log: silentLog });
  await admin.reads.query(`CREATE DATABASE ${TEMPLATE_DATABASE}`);
  await admin.close();
  const template = await openDatabase({ target: testTarget(running.server, TEMPLATE_DATABASE), log: silentLog });
  await runMigrations(template, silentLog);
  await template.close();
  return running;
}

async function startEmbedded(): Promise<Running> {
  const folder = mkdtempSync(join(tmpdir(), "orchestrator-tests-"));
  // Many test files have open pools at the same time.
  const postgres = await openEmbeddedPostgres({ folder, settings: { max_connections: "300" } });
  const { host, port, user } = postgres.connection;
  return {
    server: { host, port, user },
    stop: async () => {
      await postgres.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function startPostgres15(): Running {
  const folder = mkdtempSync(join(tmpdir(), "orchestrator-tests15-"));
  const call = (action: string) => execFileSync("sh", ["scripts/ci-services.sh", action, folder], { encoding: "utf8" });
  const [host = "", port = "", user = ""] = call("start-postgres15").trim().split(" ");
  return {
    server: { host, port: Number(port), user },
    stop: async () => {
      call("stop-postgres15");
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
