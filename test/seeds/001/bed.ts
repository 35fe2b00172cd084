/** What the tests of seed 001 share: a service with the variables of its document, templates, and `curl`. */
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Ajv2020 } from "ajv/dist/2020.js";
import { afterAll, beforeAll, inject } from "vitest";
import { parse } from "yaml";
import { ROOT } from "../../clients/programs.ts";
import { eventually } from "../../support/eventually.ts";
import { findFreePort } from "../../support/free-port.ts";
import { createTestDatabase } from "../../support/postgres.ts";
import { type ServeProcess, startServe } from "../../support/serve-process.ts";
import { createFileFolder } from "../../support/temporary-folder.ts";
import { TEMPLATES } from "./templates.ts";

/** An answer of the service. */
export interface Answered {
  readonly status: number;
  /** Names in small letters. */
  readonly headers: ReadonlyMap<string, string>;
  // biome-ignore lint/suspicious/noExplicitAny: the answer of a foreign interface, compared with what is expected.
  readonly body: any;
}

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

const openapi = parse(readFileSync(join(ROOT, "contracts/openapi.yaml"), "utf8"));
const ajv = new Ajv2020({ strict: false, validateFormats: false });
ajv.addSchema({ $id: "doc", components: openapi.components });

/** Returns a body that fits the schema of its route in `contracts/openapi.yaml`, and throws for any other. */
function checkAnswer(args: readonly string[], path: string, status: number, body: unknown): unknown {
  const verb = args.includes("-X") ? String(args[args.indexOf("-X") + 1]) : args.includes("-d") ? "POST" : "GET";
  const [route = ""] = path.split("?");
  const found = Object.entries(openapi.paths as Record<string, Record<string, Described>>).find(
    ([template, verbs]) =>
      template.startsWith("/v1/") === false &&
      verb.toLowerCase() in verbs &&
      new RegExp(`^${template.replaceAll(/\{\w+\}/g, "[^/]+")}$`).test(route),
  );
  if (found === undefined) return body;
  const response = found[1][verb.toLowerCase()]?.responses[status];
  const ref = response?.$ref ?? "";
  const described = ref === "" ? response : openapi.components.responses[ref.split("/").at(-1) ?? ""];
  const schema = described?.content?.["application/json"]?.schema;
  if (schema === undefined) throw new Error(`${verb} ${route}: ${status} is not described`);
  const check = ajv.compile({ $ref: String(schema.$ref).replace("#", "doc#") });
  if (!check(body)) throw new Error(`${verb} ${route}: ${ajv.errorsText(check.errors)}: ${JSON.stringify(body)}`);
  return body;
}

interface Described {
  readonly responses: Readonly<Record<string, { readonly $ref?: string; readonly content?: Content } | undefined>>;
}

type Content = Readonly<Record<string, { readonly schema: { readonly $ref: string } }>>;

/** Opens the bed in the body of a test file. */
export async function createSeedBed(): Promise<SeedBed> {
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
    curl(path, ...args) {
      const printed = execFileSync("curl", ["--silent", "--show-error", "--include", ...args, `${bed.url}${path}`], {
        encoding: "utf8",
      });
      const [head = "", body = ""] = printed.replace(/^HTTP\/1.1 100 .*?\r\n\r\n/s, "").split(/\r\n\r\n(.*)/s);
      const [line = "", ...lines] = head.split("\r\n");
      return {
        status: Number(line.split(" ")[1]),
        headers: new Map(
          lines.map((text) => [text.split(":")[0]?.toLowerCase() ?? "", text.replace(/^[^:]*:\s*/, "")]),
        ),
        body: body === "" ? null : checkAnswer(args, path, Number(line.split(" ")[1]), JSON.parse(body)),
      };
    },
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
      },
    });
  }, 120_000);
  afterAll(async () => {
    await service?.stop("SIGKILL");
  });
  return bed;
}
