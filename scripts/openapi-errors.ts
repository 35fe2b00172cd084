/** Error responses of an operation: for each HTTP status the reasons that can stand in it. */
import { ERRORS, type ErrorCode } from "../src/base/errors.ts";

/** What any call can be refused with, whatever its method. */
const COMMON: readonly ErrorCode[] = [
  "INVALID_REQUEST",
  "HOST_REFUSED",
  "ORIGIN_REFUSED",
  "ROUTE_NOT_FOUND",
  "HTTP_METHOD_NOT_ALLOWED",
  "HEADERS_TOO_LARGE",
  "MESSAGE_TOO_LARGE",
  "OVERLOADED",
  "INTERNAL",
  "STORE_UNAVAILABLE",
  "STORE_TIMEOUT",
  "SHUTTING_DOWN",
  "RUN_MOVED",
  "DEADLINE_EXCEEDED",
];

/** What calls with a body can be refused with. */
const WITH_BODY: readonly ErrorCode[] = [
  "INVALID_JSON",
  "PAYLOAD_TOO_LARGE",
  "REQUEST_MALFORMED",
  "REQUEST_INCOMPLETE",
  "PROTOCOL_UNSUPPORTED",
];

/** What calls for one run can be refused with. */
const FOR_RUN: readonly ErrorCode[] = ["RUN_UNREADABLE", "RUN_QUARANTINED", "RUN_DELETED"];

/** What the comment of a method says after `Errors:`; a name that the catalogue does not have is an error. */
function readReasons(comment: string): ErrorCode[] {
  const [, text = ""] = /Errors:([\s\S]*)/.exec(comment) ?? [];
  return [...text.matchAll(/\b[A-Z]+(?:_[A-Z]+)+\b|\bOVERLOADED\b/g)]
    .map(([name]) => name)
    .filter((name): name is ErrorCode => Object.hasOwn(ERRORS, name));
}

/** Responses by status, with `x-reasons`: the values of `ErrorInfo.reason`. */
export function toErrorResponses(
  comment: string,
  { hasBody, isForRun }: { readonly hasBody: boolean; readonly isForRun: boolean },
): Record<string, unknown> {
  const codes = new Set([
    ...readReasons(comment),
    ...COMMON,
    ...(hasBody ? WITH_BODY : []),
    ...(isForRun ? FOR_RUN : []),
  ]);
  const byStatus = new Map<number, ErrorCode[]>();
  for (const code of codes) {
    const { http } = ERRORS[code];
    byStatus.set(http, [...(byStatus.get(http) ?? []), code]);
  }
  const responses = [...byStatus]
    .sort(([a], [b]) => a - b)
    .map(([status, reasons]) => [
      String(status),
      {
        description: `Refused: ${reasons.join(", ")}.`,
        "x-reasons": reasons,
        content: { "application/json": { schema: { $ref: "#/components/schemas/google.rpc.Status" } } },
      },
    ]);
  return Object.fromEntries(responses);
}
