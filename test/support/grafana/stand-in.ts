/**
 * A strict stand-in for Grafana, for there is none to install here: it refuses whatever the real one is documented to
 * refuse, in both generations of its API, and bodies with anything that the real one does not know.
 */
import { createServer, type IncomingHttpHeaders, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { onTestFinished } from "vitest";
import type { GrafanaAnswer, GrafanaRequest, GrafanaStore } from "./answers.ts";
import { answerApis } from "./apis.ts";
import { answerLegacy } from "./legacy.ts";

/** Tokens that it knows. */
export const EDITOR_TOKEN = "glsa_editor-Secret.Token_0123456789";
export const VIEWER_TOKEN = "glsa_viewer-Secret.Token_0123456789";

/** What goes wrong with a request. */
export type GrafanaFault =
  /** An answer instead of the right one; `late`: after the request took effect. */
  | {
      readonly status: number;
      readonly body?: unknown;
      readonly headers?: Record<string, string>;
      readonly late?: true;
    }
  /** The connection breaks. */
  | "cut";

/** A request as it arrived. */
export interface ArrivedRequest extends GrafanaRequest {
  readonly headers: IncomingHttpHeaders;
  readonly status: number;
}

export interface GrafanaStandIn extends GrafanaStore {
  readonly url: string;
  readonly requests: readonly ArrivedRequest[];
  /** Requests that are not reads, whatever became of them. */
  writes(): readonly string[];
  /** Decides about each request from now on; undefined: no fault. */
  fail(rule: (request: GrafanaRequest) => GrafanaFault | undefined): void;
}

/** Starts one for the current test: 11 has the old API, 12 and 13 both; an empty version is hidden. */
export async function startGrafana(version: "11.6.0" | "12.4.1" | "13.1.0" | "" = "11.6.0"): Promise<GrafanaStandIn> {
  const store: GrafanaStore = { dashboards: new Map(), folders: new Map() };
  const requests: ArrivedRequest[] = [];
  let rule: (request: GrafanaRequest) => GrafanaFault | undefined = () => undefined;
  const objects = version.startsWith("12") ? "v1beta1" : version.startsWith("13") ? "v1" : undefined;

  const answer = (request: GrafanaRequest, token: string | undefined): GrafanaAnswer => {
    if (request.path === "/api/health" && request.method === "GET")
      return { status: 200, body: { database: "ok", ...(version === "" ? {} : { version, commit: "0000000" }) } };
    if (token !== `Bearer ${EDITOR_TOKEN}` && token !== `Bearer ${VIEWER_TOKEN}`)
      return { status: 401, body: { message: "Invalid API key", messageId: "api-key.invalid", statusCode: 401 } };
    if (token === `Bearer ${VIEWER_TOKEN}` && request.method !== "GET")
      return { status: 403, body: { message: "You'll need additional permissions to perform this action" } };
    const found = answerLegacy(store, request) ?? (objects && answerApis(store, request, objects));
    return found ?? { status: 404, body: { message: "Not found" } };
  };

  const server = createServer((incoming, response) => {
    void readRequest(incoming).then((request) => {
      const fault = rule(request);
      const note = (status: number): void => void requests.push({ ...request, headers: incoming.headers, status });
      if (fault === "cut") {
        note(0);
        incoming.socket.destroy();
        return;
      }
      const right = fault === undefined || fault.late ? answer(request, incoming.headers.authorization) : undefined;
      const { status, body = {}, headers = {} } = { ...(right ?? { status: 500 }), ...fault };
      note(status);
      response.writeHead(status, { "content-type": "application/json", ...headers });
      response.end(typeof body === "string" ? body : JSON.stringify(body));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return {
    ...store,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    writes: () => requests.filter(({ method }) => method !== "GET").map(({ method, path }) => `${method} ${path}`),
    fail: (next) => {
      rule = next;
    },
  };
}

async function readRequest(incoming: IncomingMessage): Promise<GrafanaRequest> {
  const parts: Buffer[] = [];
  for await (const part of incoming) parts.push(part as Buffer);
  const { pathname, searchParams } = new URL(incoming.url ?? "/", "http://grafana");
  const text = Buffer.concat(parts).toString();
  const isJson = incoming.headers["content-type"] === "application/json";
  const method = incoming.method ?? "GET";
  return {
    method,
    path: decodeURIComponent(pathname),
    query: searchParams,
    body: isJson ? parseJson(text) : undefined,
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Refused like a body that is missing.
    return undefined;
  }
}
