/**
 * The service that the demo's flow calls: lists and checks the texts of a folder, keeps drafts of reports, publishes
 * them. It refuses some calls, as services do.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { basename, join, relative, resolve } from "node:path";
import { checkText, type TextReport } from "./check-text.ts";

/** What the service works on. */
export interface TextServiceOptions {
  /** Folder whose `.md` and `.txt` files are texts, folders below it included. */
  readonly folder: string;
  /** Folder that drafts and the report are written to. */
  readonly output: string;
  readonly port?: number;
}

/** The running service. */
export interface TextService {
  /** `http://127.0.0.1:port` */
  readonly url: string;
  /** The host and port, as the setting http.allow wants them. */
  readonly host: string;
  /** How many calls were refused with 503. */
  countRefused(): number;
  close(): Promise<void>;
}

const MAX_TEXTS = 200;
const MAX_TEXT_BYTES = 1_000_000;

/** Starts the service on the loopback interface. */
export async function openTextService(options: TextServiceOptions): Promise<TextService> {
  const folder = resolve(options.folder);
  const output = resolve(options.output);
  mkdirSync(output, { recursive: true });
  const texts = findTexts(folder);
  const refused = new Set<string>();
  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => send(response, 500, { problem: String(error) }));
  });

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const [kind, id, action] = (request.url ?? "").slice(1).split("/");
    const route = `${request.method} ${[kind, ...(id === undefined ? [] : ["id"]), ...(action === undefined ? [] : [action])].join("/")}`;
    switch (route) {
      case "GET texts":
        send(response, 200, { texts: texts.map((name, index) => ({ id: String(index), name })) });
        return;
      case "GET texts/id": {
        const name = texts[Number(id)];
        if (name === undefined) return send(response, 404, { problem: "there is no such text" });
        // Every third text is refused at first: the flow has to come back.
        if (Number(id) % 3 === 1 && !refused.has(name)) {
          refused.add(name);
          return send(response, 503, { problem: "busy, come back" });
        }
        const path = join(folder, name);
        return send(response, 200, checkText(name, readFileSync(path, "utf8"), path));
      }
      case "POST drafts": {
        const { results } = (await readJson(request)) as { results: TextReport[] };
        // The same key, the same draft: a call that is repeated after a crash writes nothing twice.
        const draft = basename(String(request.headers["idempotency-key"] ?? "draft").replaceAll(/[^\w.-]+/g, "-"));
        writeFileSync(join(output, `${draft}.draft.md`), renderReport(results));
        const findings = results.reduce((sum, result) => sum + result.findings.length, 0);
        const words = results.reduce((sum, result) => sum + result.words, 0);
        return send(response, 201, { id: draft, texts: results.length, words, findings });
      }
      case "POST drafts/id/publish": {
        const path = join(output, "report.md");
        const draft = join(output, `${basename(id ?? "")}.draft.md`);
        // A repeated publication finds the draft gone and the report there.
        if (existsSync(draft)) renameSync(draft, path);
        else if (!existsSync(path)) return send(response, 404, { problem: "there is no such draft" });
        return send(response, 200, { path: relative(process.cwd(), path) });
      }
      case "DELETE drafts/id":
        rmSync(join(output, `${basename(id ?? "")}.draft.md`), { force: true });
        response.writeHead(204).end();
        return;
      default:
        send(response, 404, { problem: `nothing is served at ${request.method} ${request.url}` });
    }
  }

  await new Promise<void>((done, reject) =>
    server.once("error", reject).listen(options.port ?? 0, "127.0.0.1", () => done()),
  );
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url: `http://${host}`,
    host,
    countRefused: () => refused.size,
    close: () =>
      new Promise((done) => {
        server.close(() => done());
        server.closeAllConnections();
      }),
  };
}

function findTexts(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter(
      (name) =>
        /\.(md|txt)$/.test(name) && !name.split("/").some((part) => part === "node_modules" || part.startsWith(".")),
    )
    .filter((name) => {
      const { size } = statSync(join(folder, name));
      return size <= MAX_TEXT_BYTES;
    })
    .sort()
    .slice(0, MAX_TEXTS);
}

function renderReport(results: readonly TextReport[]): string {
  const lines = results.map(
    ({ name, words, minutes, findings }) => `| ${name} | ${words} | ${minutes} | ${findings.length} |`,
  );
  const details = results
    .filter(({ findings }) => findings.length > 0)
    .map(
      ({ name, findings }) =>
        `## ${name}\n\n${findings.map(({ line, problem }) => `- line ${line}: ${problem}`).join("\n")}\n`,
    );
  return `# Report on ${results.length} texts\n\n| text | words | minutes | findings |\n|---|---|---|---|\n${lines.join("\n")}\n\n${details.join("\n")}`;
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return JSON.parse(Buffer.concat(chunks).toString("utf8"));
}

function send(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}
