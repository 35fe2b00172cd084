/**
 * What the port does otherwise than the cases of `connectconformance` want, on purpose. The runner fails when one of
 * these cases passes, and the test when a case of this list differs in anything but what stands here.
 */

/** Cases that fail for one reason. */
export interface KnownFailure {
  readonly why: string;
  /** Patterns of the runner; `**` stands for the settings of a case. */
  readonly cases: readonly string[];
  /** What the runner may say of them, a line each. */
  readonly says: readonly RegExp[];
  /** They may pass. */
  readonly mayPass?: true;
}

const UNEXPECTED = [
  "multiple-requests",
  "no-request",
  "unexpected-codec",
  "unexpected-compressed-message",
  "unexpected-compression",
  "unexpected-uri",
  "unexpected-verb",
];

export const KNOWN_FAILURES: readonly KnownFailure[] = [
  {
    why: "Services of the contract set no response metadata of their own, so handlers have no way to.",
    cases: [
      "Basic/**/success",
      "Basic/**/server-stream/no-responses",
      "Connect with GET/**/success",
      "Duplicate Metadata/**",
      "Errors/**/error-with-metadata",
      "Errors/**/error-with-no-responses",
      "Errors/**/error-with-responses",
    ],
    says: [/^actual response (headers missing "x-custom-header"|trailers missing "x-custom-trailer")$/],
  },
  {
    why: "Every error carries an ErrorInfo and a RequestInfo (docs/adr/0015); these cases want an error without details.",
    cases: [
      "Basic/**/unimplemented",
      "Server Message Size/**/request-exceeds-server-limit",
      ...UNEXPECTED.map((name) => `Connect Unexpected Requests/**/${name}`),
      ...UNEXPECTED.map((name) => `gRPC Unexpected Requests/**/${name}`),
      ...UNEXPECTED.map((name) => `gRPC-Web Unexpected Requests/**/${name}`),
      "Unexpected Requests/HTTPVersion:1/Protocol:PROTOCOL_CONNECT/**",
    ],
    says: [/^actual error contain 2 details; expecting 0$/],
  },
  {
    why: "The details of an error, as above; when the client's clock is the first to run out, it makes the error by itself.",
    cases: ["Timeouts/**/unary"],
    says: [/^actual error contain 2 details; expecting 0$/],
    mayPass: true,
  },
  {
    why: "An error without details is one of the Connect library, and gets ours; services of the contract make none.",
    cases: [
      "Errors/HTTPVersion:1/**/error-with-responses",
      "Duplicate Metadata/HTTPVersion:1/**/server-stream/error-with-responses",
    ],
    says: [
      /^actual error \{code: 13 \(internal\), message: "internal error; [^"]*"\} does not match expected message "server stream failed"$/,
      /^actual error contain 2 details; expecting 0$/,
    ],
  },
  {
    why: "INTERNAL is for faults of the service: alerts count it. A flag of compression without an encoding is the caller's mistake.",
    cases: [
      "Connect Unexpected Requests/**/unexpected-compressed-message",
      "gRPC Unexpected Requests/**/unexpected-compressed-message",
      "gRPC-Web Unexpected Requests/**/unexpected-compressed-message",
    ],
    says: [
      /^actual error \{code: 3 \(invalid_argument\), message: "[^"]* compressed, [^"]*"\} does not match expected code 13 \(internal\)$/,
    ],
  },
  {
    why: "HTTP 405 and 415 have a body with a code and details, where clients would derive `unknown` from the bare status.",
    cases: [
      "Connect Unexpected Requests/**/unexpected-codec",
      "Connect Unexpected Requests/**/unexpected-verb",
      "Unexpected Requests/**/unexpected-content-type",
    ],
    says: [
      /^actual error \{code: 12 \(unimplemented\), message: "[^"]*"\} does not match expected code 2 \(unknown\)$/,
      // Clients of gRPC leave the body unread, and the runner takes what is left for broken JSON.
      /^connect error JSON: unexpected end of JSON input$/,
    ],
  },
  {
    why: "A message over the limit is INVALID_ARGUMENT: generic retriers repeat RESOURCE_EXHAUSTED, and it would never fit.",
    cases: ["Server Message Size/**/request-exceeds-server-limit"],
    says: [
      /^actual error \{code: 3 \(invalid_argument\), message: "the request is larger than the limit of 204800 bytes \(limits\.max_message_bytes\)"\} does not match expected code 8 \(resource_exhausted\)$/,
    ],
  },
  {
    why: "The limit holds both ways. The request at the limit is read; the answer, which repeats it in full, is larger and refused.",
    cases: ["Server Message Size/**/request-equal-to-server-limit"],
    says: [
      /^received an unexpected error:$/,
      /^code:CODE_INVALID_ARGUMENT {1,2}message:"the response is larger than the limit of 204800 bytes /,
      /^expecting [12] response messages but instead got 0$/,
    ],
  },
];
