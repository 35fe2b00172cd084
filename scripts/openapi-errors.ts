/** Errors of operations: the responses are shared, the reasons are named by each operation. */
import { ERRORS } from "../src/base/error-catalog.ts";
import type { ErrorCode } from "../src/base/errors.ts";

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

/** What an operation says of its errors. */
export interface OperationErrors {
  /** Reasons of its own, beside those that any call can be refused with: the values of `ErrorInfo.reason`. */
  readonly reasons: readonly ErrorCode[];
  /** References to the shared responses, by HTTP status. */
  readonly responses: Readonly<Record<string, { readonly $ref: string }>>;
}

/** The errors of an operation, from the comment of its method. */
export function toOperationErrors(
  comment: string,
  { hasBody, isForRun }: { readonly hasBody: boolean; readonly isForRun: boolean },
): OperationErrors {
  const own = new Set([...readReasons(comment), ...(hasBody ? WITH_BODY : []), ...(isForRun ? FOR_RUN : [])]);
  for (const code of COMMON) own.delete(code);
  const statuses = new Set([...own, ...COMMON].map((code) => ERRORS[code].http));
  const responses = [...statuses]
    .sort((a, b) => a - b)
    .map((status) => [String(status), { $ref: referenceTo(status) }]);
  return { reasons: [...own].sort(), responses: Object.fromEntries(responses) };
}

/** The shared responses: one per HTTP status of an error, with the reasons that any call can be refused with. */
export function toSharedResponses(): Record<string, unknown> {
  const statuses = [...new Set(Object.values(ERRORS).map(({ http }) => http))].sort((a, b) => a - b);
  const used = statuses.map((status) => {
    const reasons = COMMON.filter((code) => ERRORS[code].http === status).sort();
    const description =
      "Refused: `google.rpc.Status` with an `ErrorInfo` whose `reason` is one of the `x-reasons`, here or of the operation.";
    const content = { "application/json": { schema: { $ref: "#/components/schemas/google.rpc.Status" } } };
    return [nameOf(status), { description, ...(reasons.length === 0 ? {} : { "x-reasons": reasons }), content }];
  });
  return Object.fromEntries(used);
}

function nameOf(status: number): string {
  return `Error${status}`;
}

function referenceTo(status: number): string {
  return `#/components/responses/${nameOf(status)}`;
}
