/**
 * `curl` against the merged interfaces: whatever is answered fits the schema of its route in `contracts/openapi.yaml`.
 */
import { execFile, execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { Ajv2020 } from "ajv/dist/2020.js";
import { parse } from "yaml";
import { ROOT } from "../clients/programs.ts";

/** An answer of the service. */
export interface Answered {
  readonly status: number;
  /** Names in small letters. */
  readonly headers: ReadonlyMap<string, string>;
  // biome-ignore lint/suspicious/noExplicitAny: the answer of a foreign interface, compared with what is expected.
  readonly body: any;
}

const FLAGS = ["--silent", "--show-error", "--include", "--path-as-is"];
const OPTIONS = { encoding: "utf8", maxBuffer: 2 ** 26 } as const;

/** Calls `curl` with arguments as a shell passes them; `path` is appended to the address. */
export function curlNow(url: string, path: string, ...args: string[]): Answered {
  return toAnswered(execFileSync("curl", [...FLAGS, ...args, `${url}${path}`], OPTIONS), args, path);
}

/** The same for servers that live in this process, or calls that take long. */
export async function curl(url: string, path: string, ...args: string[]): Promise<Answered> {
  const { stdout } = await promisify(execFile)("curl", [...FLAGS, ...args, `${url}${path}`], OPTIONS);
  return toAnswered(stdout, args, path);
}

function toAnswered(printed: string, args: readonly string[], path: string): Answered {
  const [head = "", body = ""] = printed.replace(/^HTTP\/1.1 100 .*?\r\n\r\n/s, "").split(/\r\n\r\n(.*)/s);
  const [line = "", ...lines] = head.split("\r\n");
  const status = Number(line.split(" ")[1]);
  return {
    status,
    headers: new Map(lines.map((text) => [text.split(":")[0]?.toLowerCase() ?? "", text.replace(/^[^:]*:\s*/, "")])),
    body: body === "" ? null : checkAnswer(args, path, status, JSON.parse(body)),
  };
}

const openapi = parse(readFileSync(join(ROOT, "contracts/openapi.yaml"), "utf8"));
const ajv = new Ajv2020({ strict: false, validateFormats: false });
ajv.addSchema({ $id: "doc", components: openapi.components });

/** Returns a body that fits the schema of its route, and throws for any other. */
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
