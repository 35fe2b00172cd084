/** Errors as the older product printed them: UDC. */
import type { Answer } from "../exchange.ts";
import { ERROR_STATUS, type ErrorWord } from "./words.ts";

/** An answer that is an error. */
export function answerError(code: ErrorWord, message: string, details: Readonly<Record<string, unknown>>): Answer {
  return {
    status: ERROR_STATUS[code],
    text: JSON.stringify({ status: "error", error: { code, message, details } }),
  };
}
