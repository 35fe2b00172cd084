/** What the detectors of a scan have found so far, by position of the folded text. */
import type { RuleId } from "./rules.ts";

/** A finding by positions of bytes. */
export interface Found {
  readonly rule: RuleId;
  readonly start: number;
  readonly end: number;
}

/** A detector adds to it. */
export type FoundList = Found[];
