/**
 * Cross-origin requests. Only pages of configured origins can call, compared exactly as browsers send them: no
 * reflection, no wildcard. There are no cookies, so credentials are not allowed.
 */
import { isIP } from "node:net";

/** Request headers of the protocols, as in the Connect library (a test compares them). */
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

/** Response headers of the protocols, as in the Connect library. */
export const PROTOCOL_ANSWER_HEADERS = [
  "Grpc-Status",
  "Grpc-Message",
  "Grpc-Status-Details-Bin",
  "Content-Encoding",
  "Connect-Content-Encoding",
] as const;

/** Allowed request headers: those of the protocols and our own. */
const ALLOWED_HEADERS = [
  ...PROTOCOL_HEADERS,
  "Authorization",
  "Idempotency-Key",
  "Last-Event-ID",
  "X-Request-Id",
  "X-Orchestrator-Actor",
  "Traceparent",
].join(", ");

/** Response headers that pages can read. */
const EXPOSED_HEADERS = [...PROTOCOL_ANSWER_HEADERS, "Retry-After", "Location"].join(", ");

const ALLOWED_METHODS = "POST, GET, DELETE";

const VARY = "Origin, Access-Control-Request-Method, Access-Control-Request-Headers";

/** How long browsers cache a preflight, seconds. */
const MAX_AGE_S = 7_200;

export type HeaderList = Readonly<Record<string, string>>;

export interface Cors {
  /**
   * Whether a page of `origin` may send a request that changes something. Browsers send some of these without a
   * preflight, and every page that a user opens can reach a service on localhost: only configured origins and this very
   * host pass.
   *
   * "This very host" means addresses and `localhost` only. The owner of a name can point it here after the page was
   * loaded, and then page and service have the same origin (DNS rebinding). A service behind a proxy or a name lists
   * its own origin like any other.
   */
  mayWrite(origin: string | undefined, host: string | undefined): boolean;
  /** Headers for a response to `origin`. */
  answerHeaders(origin: string | undefined): HeaderList;
  /** Headers for a preflight response. */
  preflightHeaders(origin: string | undefined): HeaderList;
}

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

/** Whether a page was loaded from the address that it calls. */
function isSameAddress(origin: string, host: string | undefined): boolean {
  const url = URL.parse(origin);
  if (url === null || url.host !== host?.toLowerCase()) return false;
  const { hostname } = url;
  return (
    isIP(hostname.replace(/^\[(.*)\]$/, "$1")) !== 0 || hostname === "localhost" || hostname.endsWith(".localhost")
  );
}
