import { HOPS_HEADER } from "../../base/net/hops.ts";
import { AnswerRefused } from "./http-body.ts";
import type { AnswerHeaders } from "./http-headers.ts";
import { type HttpRequest, parseUrl, RequestRefused } from "./http-request.ts";

/** Maximum number of redirects that a call follows by default. */
export const DEFAULT_MAX_REDIRECTS = 3;

/** Headers that are sent on to another origin; the others may be secrets of the first. A loop may lead through one. */
const PUBLIC_HEADERS: ReadonlySet<string> = new Set([
  "accept",
  "accept-encoding",
  "accept-language",
  "content-type",
  "user-agent",
  HOPS_HEADER,
]);

/** What binds a call to its origin. */
const BINDINGS = {
  service: "a service is called at its own origin only",
  approval: "a person has approved the call to its own origin only",
} as const;

/**
 * Returns the request that a redirect asks for, or null if the response is no redirect. As in browsers, 303 (and 301,
 * 302 after POST) becomes GET without a body. Only harmless headers are sent to another origin. Throws AnswerRefused
 * for another scheme (https must not become http, and if http redirects to https, the flow should use https), for URLs
 * that no flow may call either, and for other origins if the call is bound to its own; null: it is not.
 */
export function redirect(
  request: HttpRequest,
  status: number,
  headers: AnswerHeaders,
  bound: keyof typeof BINDINGS | null,
): HttpRequest | null {
  const location = headers["location"];
  if (![301, 302, 303, 307, 308].includes(status) || typeof location !== "string") return null;
  const url = readLocation(location, request.url);
  if (bound !== null && url.origin !== request.url.origin)
    throw new AnswerRefused("REDIRECT_REFUSED", `a redirect to ${url.origin} is not followed: ${BINDINGS[bound]}`);
  const becomesGet = status === 303 ? request.method !== "HEAD" : status <= 302 && request.method === "POST";
  const kept = Object.entries(request.headers).filter(([name]) => {
    if (becomesGet && name === "content-type") return false;
    return url.origin === request.url.origin || PUBLIC_HEADERS.has(name);
  });
  return {
    method: becomesGet ? "GET" : request.method,
    url,
    headers: Object.fromEntries(kept),
    body: becomesGet ? null : request.body,
  };
}

function readLocation(location: string, from: URL): URL {
  let url: URL;
  try {
    url = parseUrl(location, from);
  } catch (error) {
    if (!(error instanceof RequestRefused)) throw error;
    throw new AnswerRefused("REDIRECT_REFUSED", `a redirect that is not followed: ${error.message}`);
  }
  if (url.protocol === from.protocol) return url;
  throw new AnswerRefused(
    "REDIRECT_REFUSED",
    `a redirect from ${from.protocol} to ${url.protocol} is not followed; call the new URL itself`,
  );
}
