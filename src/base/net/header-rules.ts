/** What the headers of a request may be that somebody else writes: nothing that could smuggle a second request. */

/** Headers that belong to the connection, or would let a flow impersonate another host. */
const OWN_HEADERS: ReadonlySet<string> = new Set([
  "connection",
  "content-length",
  "expect",
  "host",
  "keep-alive",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

const HEADER_NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/** Visible characters, space, and tab; Latin-1 letters, which header fields may carry as bytes. */
const HEADER_VALUE = /^[\t\u0020-\u007e\u0080-\u00ff]*$/;

/** What is wrong with a header; null: nothing. */
export function headerProblem(name: string, value: string): string | null {
  if (!HEADER_NAME.test(name)) return `"${name.length > 80 ? `${name.slice(0, 79)}…` : name}" is no name of a header`;
  if (OWN_HEADERS.has(name.toLowerCase())) return `the header ${name} is set by the service`;
  return isHeaderValue(value) ? null : `the header ${name} holds characters that headers cannot carry`;
}

/** What the service sets itself: on requests that carry events, and on messages to topics. */
const EVENT_HEADERS = {
  webhook: /^(content-type|user-agent|(webhook|orchestrator)-.*)$/i,
  topic: /^orchestrator-/i,
} as const;

/** What is wrong with the name of a header that a flow or a setting gives to events; null: nothing. */
export function eventHeaderProblem(to: keyof typeof EVENT_HEADERS, name: string): string | null {
  return EVENT_HEADERS[to].test(name) ? `the header ${name} is set by the service` : null;
}

/** Whether a header can have the value. */
export function isHeaderValue(value: string): boolean {
  return HEADER_VALUE.test(value);
}

/** An id as the value of a header: ids may contain any letter; header fields may not. */
export function toHeaderText(id: string): string {
  return isHeaderValue(id) ? id : encodeURIComponent(id);
}
