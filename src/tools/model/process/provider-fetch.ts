/** The `fetch` that the libraries get: it follows no redirect, and tells whether anything was sent. */
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import type { Fetch } from "./chat-models.ts";

/** The provider sends the call, with all that it says, somewhere else. */
export class RedirectRefused extends Error {}

/** A call that cannot become a request. */
export class RequestUnfit extends Error {}

/** Published when the head of a request is written, before its body. */
const SENDING = "undici:client:sendHeaders";

const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/** Where a call is found again among those that are sent. */
const KEY_HEADER = "idempotency-key";

/** What becomes known of a call. */
export interface SeenByFetch {
  /** Its first bytes are written. */
  onSent(): void;
  /** The provider has answered, whatever it says. */
  onResponse(response: Response): void;
}

/**
 * One request. Throws {@link RequestUnfit} if it cannot be written, {@link RedirectRefused} for a redirect, and what
 * `fetch` throws.
 */
export async function fetchOnce(
  [input, init]: Parameters<Fetch>,
  { onSent, onResponse }: SeenByFetch,
): Promise<Response> {
  const request = toRequest(input, init);
  const key = request.headers.get(KEY_HEADER);
  const onSending = (message: unknown): void => {
    if (key === null || keyOf(message) === key) onSent();
  };
  subscribe(SENDING, onSending);
  try {
    const response = await fetch(input, { ...init, redirect: "manual" });
    onResponse(response);
    if (!REDIRECTS.has(response.status)) return response;
    await response.body?.cancel();
    throw new RedirectRefused(refusalOf(response, request.url));
  } finally {
    unsubscribe(SENDING, onSending);
  }
}

function refusalOf({ status, headers }: Response, from: string): string {
  const to = URL.parse(headers.get("location") ?? "", from);
  // The rest of the URL may be a secret.
  const where = to === null || to.origin === "null" ? "somewhere else" : to.origin;
  return `the provider answered ${status}: a redirect to ${where} is not followed; set base_url to where it is served`;
}

function toRequest(...[input, init]: Parameters<Fetch>): Request {
  try {
    return new Request(input, init);
  } catch (cause) {
    throw new RequestUnfit("the call holds what a request cannot carry", { cause });
  }
}

/** Names and values stand in turn. */
function keyOf(message: unknown): string | undefined {
  const { headers } = (message as { readonly request: { readonly headers: readonly string[] } }).request;
  const at = headers.findIndex((name, index) => index % 2 === 0 && name.toLowerCase() === KEY_HEADER);
  return at === -1 ? undefined : headers[at + 1];
}
