/** What the tests of seed 003 share: a service with a registry and droplets, and `curl`. */
import { afterAll, beforeAll } from "vitest";
import { type Droplet, startDroplet } from "../../support/droplet.ts";
import { findFreePort } from "../../support/free-port.ts";
import { createTestDatabase } from "../../support/postgres.ts";
import { type ServeProcess, startServe } from "../../support/serve-process.ts";
import { createFileFolder } from "../../support/temporary-folder.ts";
import { type Answered, curl } from "../curl.ts";

export interface RoutingBed {
  /** `http://localhost:…`, on a port that stands for the one of the document. */
  readonly url: string;
  readonly databaseUrl: string;
  /** The registry, which is a droplet as well: `registry`. */
  readonly registry: Droplet;
  /** Further droplets: `worker` answers, nobody is at `gone`. */
  readonly worker: Droplet;
  readonly service: ServeProcess;
  /** The folder of the copy on disk. */
  readonly cache: string;
  curl(path: string, ...args: string[]): Promise<Answered>;
  /** Submits a task with the command of the document. */
  submit(task: object | string, ...args: string[]): Promise<Answered>;
  /** Ends the process and starts another one on its folder and ports. */
  restart(signal?: NodeJS.Signals): Promise<void>;
}

/** Ids of tasks. */
export const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/** Opens the bed in the body of a test file. */
export async function createRoutingBed(env: Readonly<Record<string, string>> = {}): Promise<RoutingBed> {
  const { url: databaseUrl } = await createTestDatabase();
  const folder = createFileFolder();
  const cache = createFileFolder();
  let parts: { port: number; own: number; registry: Droplet; worker: Droplet } | undefined;
  let service: ServeProcess | undefined;
  const opened = <T>(part: T | undefined): T => {
    if (part === undefined) throw new Error("the bed is not open yet");
    return part;
  };
  const start = async (): Promise<ServeProcess> => {
    const { port, own, registry } = opened(parts);
    return startServe({
      folder,
      port: own,
      env: {
        ...{ ORCHESTRATOR_DATABASE_URL: databaseUrl, ORCHESTRATOR_ALSO_LISTEN: String(port) },
        ...{ REGISTRY_URL: registry.url, REGISTRY_CACHE_DIR: cache, ...env },
      },
    });
  };
  beforeAll(async () => {
    const worker = await startDroplet();
    const gone = `http://localhost:${await findFreePort()}`;
    const registry = await startDroplet({ worker: worker.url, gone });
    parts = { port: await findFreePort(), own: await findFreePort(), registry, worker };
    service = await start();
  }, 120_000);
  afterAll(async () => {
    await service?.stop("SIGKILL");
    parts?.registry.stop();
    parts?.worker.stop();
  });
  const bed: RoutingBed = {
    ...{ databaseUrl, cache },
    get url() {
      return `http://localhost:${opened(parts).port}`;
    },
    get registry() {
      return opened(parts).registry;
    },
    get worker() {
      return opened(parts).worker;
    },
    get service() {
      return opened(service);
    },
    curl: (path, ...args) => curl(bed.url, path, ...args),
    submit: (task, ...args) =>
      bed.curl(
        "/orchestrator/tasks",
        ...["-X", "POST", "-H", "Content-Type: application/json", "-d"],
        typeof task === "string" ? task : JSON.stringify(task),
        ...args,
      ),
    restart: async (signal = "SIGKILL") => {
      await opened(service).stop(signal);
      service = await start();
    },
  };
  return bed;
}
