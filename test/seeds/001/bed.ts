/** What the tests of seed 001 share: a service with the variables of its document, templates, and `curl`. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, inject } from "vitest";
import { eventually } from "../../support/eventually.ts";
import { findFreePort } from "../../support/free-port.ts";
import { createTestDatabase } from "../../support/postgres.ts";
import { type ServeProcess, startServe } from "../../support/serve-process.ts";
import { createFileFolder } from "../../support/temporary-folder.ts";
import { type Answered, curlNow } from "../curl.ts";
import { TEMPLATES } from "./templates.ts";

export interface SeedBed {
  /** `http://localhost:…` on the port of the document, as far as a test can have it. */
  readonly url: string;
  /** Folder of templates. */
  readonly templates: string;
  readonly service: ServeProcess;
  /** Calls `curl` with arguments as a shell passes them; `path` is appended to the address. */
  curl(path: string, ...args: string[]): Answered;
  /** Starts an execution with the command of the document. */
  start(body: object | string, ...args: string[]): Answered;
  /** The status of an execution once it is what is expected. */
  status(executionId: string, expected?: string): Promise<Answered["body"]>;
  write(file: string, text: string): void;
}

/** Opens the bed in the body of a test file. */
export async function createSeedBed(env: Readonly<Record<string, string>> = {}): Promise<SeedBed> {
  const { url: databaseUrl } = await createTestDatabase();
  const folder = createFileFolder();
  const templates = join(folder, "templates");
  const redisPort = inject("redis");
  let service: ServeProcess | undefined;
  let port = 0;
  const bed: SeedBed = {
    templates,
    get url() {
      return `http://localhost:${port}`;
    },
    get service() {
      if (service === undefined) throw new Error("the service is not started");
      return service;
    },
    curl: (path, ...args) => curlNow(bed.url, path, ...args),
    start: (body, ...args) =>
      bed.curl(
        "/api/v1/workflows",
        ...["-X", "POST", "-H", "Content-Type: application/json", "-d"],
        typeof body === "string" ? body : JSON.stringify(body),
        ...args,
      ),
    status: (executionId, expected = "completed") =>
      eventually(
        () => {
          const { body } = bed.curl(`/api/v1/workflows/${executionId}/status`);
          if (body.status !== expected) throw new Error(`expected ${expected}, got ${JSON.stringify(body)}`);
          return body;
        },
        { timeoutMs: 20_000, intervalMs: 100 },
      ),
    write: (file, text) => writeFileSync(join(templates, file), text),
  };
  beforeAll(async () => {
    mkdirSync(templates);
    for (const [file, text] of Object.entries(TEMPLATES)) bed.write(file, text);
    port = await findFreePort();
    service = await startServe({
      folder,
      env: {
        ...{ REDIS_HOST: "localhost", REDIS_PORT: String(redisPort), REDIS_PASSWORD: "", REDIS_DATABASE: "0" },
        ...{ ORCHESTRATOR_HOST: "0.0.0.0", ORCHESTRATOR_ALSO_LISTEN: String(port) },
        ...{ DEFAULT_WORKFLOW_TIMEOUT: "3600s", ORCHESTRATOR_TEMPLATES: templates },
        ...{ RECOVERY_ENABLED: "true", RECOVERY_INTERVAL: "1s" },
        ORCHESTRATOR_DATABASE_URL: databaseUrl,
        ...env,
      },
    });
  }, 120_000);
  afterAll(async () => {
    await service?.stop("SIGKILL");
  });
  return bed;
}
