/** Why a call to a provider of models gave no answer. Flows match these names. */
export const MODEL_ERRORS = [
  "TOO_MANY_REQUESTS",
  "MODEL_OVERLOADED",
  "MODEL_FAILED",
  "MODEL_UNAUTHORIZED",
  "MODEL_NOT_FOUND",
  "MODEL_REQUEST_INVALID",
  "MODEL_QUOTA_EXCEEDED",
  "REDIRECT_REFUSED",
  "CONTEXT_TOO_LONG",
  "CONTENT_REFUSED",
  "STREAM_CUT",
  "ANSWER_UNREADABLE",
  "ANSWER_TOO_LARGE",
  "CONNECT_FAILED",
  "CONNECTION_LOST",
  "TIMEOUT",
  "MODEL_PROCESS_LOST",
  "RESPONSE_FORMAT_INVALID",
] as const;

/** One of {@link MODEL_ERRORS}. */
export type ModelErrorType = (typeof MODEL_ERRORS)[number];
