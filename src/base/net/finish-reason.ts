/** Whether an answer of a model ended because it was long enough, in the words of the providers. */
export function isCutShort(finishReason: unknown): boolean {
  return finishReason === "length" || finishReason === "max_tokens";
}
