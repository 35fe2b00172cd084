/**
 * Cross-origin requests. Only origins that the configuration names, exactly as browsers send them, may call from a
 * page; nothing is reflected and nothing is a wildcard. There are no cookies, so credentials are not allowed.
 */
import { isIP } from "node:net";

/** Headers of the protocols that pages may send; those that the Connect library names (a test compares them). */
export const PROTOCOL_HEADERS = [
  "Content-Type",
  "Connect-Protocol-Version",
  "Connect-Timeout-Ms",
  "Connect-Content-Encoding",
  "Connect-Accept-Encoding",
  "Content-Encoding",
  "Accept-Encoding",
  "Grpc-Message-Type",
  "X-Grpc-Web",
  "X-User-Agent",
  "Grpc-Timeout",
] as const;

/** Headers of the protocols that pages may read; those that the Connect library names. */
export const PROTOCOL_ANSWER_HEADERS = [
  "Grpc-Status",
  "Grpc-Message",
  "Grpc-Status-Details-Bin",
  "Content-Encoding",
  "Connect-Content-Encoding",
] as const;

/** Headers that pages may send: those of the protocols and our own. */
const ALLOWED_HEADERS = [
  ...PROTOCOL_HEADERS,
  "Authorization",
  "Last-Event-ID",
  "X-Request-Id",
  "X-Orchestrator-Actor",
  "Traceparent",
].join(", ");

/** Headers that pages may read. */
const EXPOSED_HEADERS = [...PROTOCOL_ANSWER_HEADERS, "Retry-After", "Location"].join(", ");

const ALLOWED_METHODS = "POST, GET, DELETE";

const VARY = "Origin, Access-Control-Request-Method, Access-Control-Request-Headers";

/** How long a browser may keep the answer to a preflight, seconds. */
const MAX_AGE_S = 7_200;

/** Headers for an answer. */
export type HeaderList = Readonly<Record<string, string>>;

/** Decides about origins. */
export interface Cors {
  /**
   * Whether a page of `origin` may send a request that changes something. Browsers send some of these without asking
   * first, and a service on the own machine is reached by every page that its user opens: what does not come from a
   * known origin or from this very host is refused.
   *
   * "This very host" counts only for addresses and `localhost`. A name says nothing: its owner can let it point here
   * after the page was loaded, and then page and service have the same origin (DNS rebinding). A service behind a proxy
   * or a name lists its own origin like any other.
   */
  mayWrite(origin: string | undefined, host: string | undefined): boolean;
  /** Headers of an answer to a request from `origin`. */
  answerHeaders(origin: string | undefined): HeaderList;
  /** Headers of the answer to a preflight. */
  preflightHeaders(origin: string | undefined): HeaderList;
}

/** Rules for the given origins. */
export function createCors(origins: readonly string[]): Cors {
  const allowed = new Set(origins);
  const isAllowed = (origin: string | undefined): origin is string => origin !== undefined && allowed.has(origin);
  return {
    mayWrite: (origin, host) => origin === undefined || allowed.has(origin) || isSameAddress(origin, host),
    answerHeaders: (origin) =>
      isAllowed(origin)
        ? { "access-control-allow-origin": origin, "access-control-expose-headers": EXPOSED_HEADERS, vary: VARY }
        : { vary: VARY },
    preflightHeaders: (origin) =>
      isAllowed(origin)
        ? {
            "access-control-allow-origin": origin,
            "access-control-allow-methods": ALLOWED_METHODS,
            "access-control-allow-headers": ALLOWED_HEADERS,
            "access-control-max-age": String(MAX_AGE_S),
            vary: VARY,
          }
        : { vary: VARY },
  };
}

/** Whether a page was loaded from the address that it now calls. */
function isSameAddress(origin: string, host: string | undefined): boolean {
  const url = URL.parse(origin);
  if (url === null || url.host !== host?.toLowerCase()) return false;
  const { hostname } = url;
  return (
    isIP(hostname.replace(/^\[(.*)\]$/, "$1")) !== 0 || hostname === "localhost" || hostname.endsWith(".localhost")
  );
}
