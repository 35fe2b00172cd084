/** The only error class of the product: thrown by code, with the details that fill the sentence of the catalog. */
import { type GrpcCode, REPEAT, type RetryClass } from "./error-catalog/entry.ts";
import { ERRORS } from "./error-catalog.ts";
import { fillSentence, type Named } from "./error-sentence.ts";

/** A code of the catalog. */
export type ErrorCode = keyof typeof ERRORS;

/** Values that fill the sentence and are sent as metadata; plain scalars only. */
export type ErrorDetails = Readonly<Record<string, ErrorValue>>;

type ErrorValue = string | number | boolean;

/** Details of the errors of a code: the names in its sentence, and its further keys. */
export type DetailsOf<Code extends ErrorCode> = Readonly<Record<Named<(typeof ERRORS)[Code]["text"]>, ErrorValue>> &
  Readonly<Partial<Record<(typeof ERRORS)[Code]["more"][number], ErrorValue>>>;

type FailArguments<Code extends ErrorCode> = [Named<(typeof ERRORS)[Code]["text"]>] extends [never]
  ? [details?: DetailsOf<Code>, options?: FailOptions]
  : [details: DetailsOf<Code>, options?: FailOptions];

/** An invalid field of a request, or a problem of a flow. */
export interface FieldViolation {
  /** Path of the field or place, for example `workflow.tasks[2].timeout`. */
  readonly field: string;
  /** What is wrong and what was expected. */
  readonly description: string;
  /** 1-based line in the source text, when there is one. */
  readonly line?: number;
  /** 1-based column in the source text, when there is one. */
  readonly column?: number;
}

/** How a failed call may be sent again, as reported to its caller. */
export type Repeat = "" | "SAME_REQUEST" | "SAME_REQUEST_ID";

/** The error that every layer throws. `code` alone determines how it is handled at the boundaries. */
export class OrchestratorError extends Error {
  override readonly name = "OrchestratorError";
  readonly code: ErrorCode;
  readonly details: ErrorDetails;
  readonly violations: readonly FieldViolation[];
  readonly retryAfterMs: number | undefined;
  /** How the call that failed may be sent again; empty: not at all. */
  readonly repeat: Repeat;

  constructor(code: ErrorCode, details: ErrorDetails, options: FailOptions) {
    super(fillSentence(ERRORS[code].text, details), options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.details = details;
    this.violations = options.violations ?? [];
    this.retryAfterMs = options.retryAfterMs;
    this.repeat = options.repeat ?? REPEAT[ERRORS[code].retry];
  }

  /** gRPC status name of the code. */
  get grpc(): GrpcCode {
    return ERRORS[this.code].grpc;
  }

  /** HTTP status of the code. */
  get http(): number {
    return ERRORS[this.code].http;
  }

  /** Whether the same call may be sent again. */
  get retry(): RetryClass {
    return ERRORS[this.code].retry;
  }
}

/** Options of {@link fail}. */
export interface FailOptions {
  /** The cause; logged, never sent to the caller. */
  readonly cause?: unknown;
  /** Violated fields, for BadRequest details. */
  readonly violations?: readonly FieldViolation[];
  /** When to retry, milliseconds; becomes RetryInfo and `Retry-After`. */
  readonly retryAfterMs?: number;
  /** How this call may be sent again; defaults to the catalog's rule for the code. */
  readonly repeat?: Repeat;
}

/** Throws the error of `code`. The details fill the sentence of the catalog. */
export function fail<Code extends ErrorCode>(code: Code, ...[details, options]: FailArguments<Code>): never {
  throw new OrchestratorError(code, details ?? {}, options ?? {});
}

/** Returns the error of `code` as a value, for promises and streams that reject later. */
export function toError<Code extends ErrorCode>(
  code: Code,
  ...[details, options]: FailArguments<Code>
): OrchestratorError {
  return new OrchestratorError(code, details ?? {}, options ?? {});
}

/** Returns true for errors of the catalog; everything else is a bug or foreign and becomes INTERNAL at the boundary. */
export function isOrchestratorError(error: unknown): error is OrchestratorError {
  return error instanceof OrchestratorError;
}

/** Throws a plain Error when `condition` does not hold, which is a bug. */
export function invariant(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Error(`invariant broken: ${message}`);
}
