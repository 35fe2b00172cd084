/** How calls of a service are made, as the operator says of it. */
import type { TargetPolicy } from "./target.ts";

/** Which failures may be retried. A task may still retry fewer. */
export type RetryClass =
  /** Those that the task retries. */
  | "task"
  /** Those of requests that change nothing, and of requests that did not arrive. */
  | "safe"
  /** None. */
  | "never";

/** What is missing is as for other calls. */
export interface ServicePolicy extends Partial<TargetPolicy> {
  readonly retry?: RetryClass;
}

/** Nothing is said. */
export const NO_POLICY: ServicePolicy = {};
