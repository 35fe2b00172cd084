/** Markers of roles in chat templates: a text that has them speaks in another's name. */
import type { Codes } from "../codes.ts";
import type { FoundList } from "../found.ts";
import { beginsWith } from "../secrets/tokens.ts";

/** Of ChatML, Llama, Gemma, and Mistral. */
const MARKERS: readonly string[] = [
  ...["<|im_start|>", "<|im_end|>", "<|system|>", "<|user|>", "<|assistant|>", "<|endoftext|>", "<|end|>"],
  ...["<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", "<|begin_of_text|>", "<|endofprompt|>"],
  ...["<<SYS>>", "<</SYS>>", "<start_of_turn>", "<end_of_turn>", "<system_prompt>", "</system_prompt>"],
  ...["[INST]", "[/INST]", "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]"],
];

/** Markers by their first three characters, as one number. */
const BY_START = Map.groupBy(MARKERS, (marker) =>
  startOf(marker.charCodeAt(0), marker.charCodeAt(1), marker.charCodeAt(2)),
);

function startOf(first: number, second: number, third: number): number {
  return ((first & 127) << 14) | ((second & 127) << 7) | (third & 127);
}

/** Adds the marker at a place. Returns its end, else `start`. */
export function findMarker({ bytes, length }: Codes, start: number, found: FoundList): number {
  if (start + 3 > length) return start;
  const key = startOf(bytes[start] as number, bytes[start + 1] as number, bytes[start + 2] as number);
  const marker = BY_START.get(key)?.find((one) => beginsWith(bytes, start, one));
  if (marker === undefined) return start;
  found.push({ rule: "injection.marker", start, end: start + marker.length });
  return start + marker.length;
}

/** Adds `### System:` and its kin, whose word stands from `start` to `end`. */
export function findRoleHeading({ bytes }: Codes, start: number, end: number, found: FoundList): void {
  if (bytes[end] !== 58 || bytes[start - 1] !== 32 || !beginsWith(bytes, start - 4, "### ") || start < 4) return;
  found.push({ rule: "injection.marker", start: start - 4, end: end + 1 });
}
