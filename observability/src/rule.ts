/** What alerts and recording rules are written with. */

/** Writes a duration as Prometheus does. Tests of live systems write shorter ones. */
export interface Time {
  (seconds: number): string;
  /** The same as a number of seconds, for limits. */
  readonly seconds: (seconds: number) => number;
}

export const MINUTE = 60;
export const HOUR = 3_600;
export const DAY = 86_400;

/** Durations as they are. */
export const realTime: Time = Object.assign(write, { seconds: (seconds: number) => seconds });

/** Durations divided by `factor`: none is shorter than `least` seconds, and no limit than `leastLimit`. */
export function shortTime(factor: number, least: number, leastLimit: number): Time {
  const shorten = (seconds: number, shortest: number): number =>
    seconds === 0 ? 0 : Math.max(shortest, Math.round(seconds / factor));
  return Object.assign((seconds: number) => write(shorten(seconds, least)), {
    seconds: (seconds: number) => shorten(seconds, leastLimit),
  });
}

function write(seconds: number): string {
  const units = [
    ["d", DAY],
    ["h", HOUR],
    ["m", MINUTE],
  ] as const;
  for (const [unit, length] of units)
    if (seconds >= length && seconds % length === 0) return `${seconds / length}${unit}`;
  return `${seconds}s`;
}

/** Who is told: somebody is called at night, somebody looks on a working day, or nobody needs to act. */
export type Severity = "page" | "ticket" | "info" | "warning" | "critical";

/**
 * A case of a rule for promtool: series in its notation, one value a minute; every four minutes if the case lasts for
 * hours.
 */
export interface RuleCase {
  readonly series: Readonly<Record<string, string>>;
  /** When the rule is evaluated. */
  readonly after: string;
}

/** An alert with what its reader needs, and the cases that prove it. */
export interface Alert {
  readonly name: string;
  readonly severity: Severity;
  /** PromQL, true while there is something to do. */
  readonly expr: string;
  /** How long that has to last. */
  readonly for: string;
  /** How long the alert goes on afterwards, so that it does not flap. */
  readonly keepFiringFor?: string;
  readonly summary: string;
  /** What is seen; `{{ $labels.x }}` are the only variables, so that cases can predict the text. */
  readonly description: string;
  /** What it means for users. */
  readonly impact: string;
  /** The dashboard on which it is seen. */
  readonly dashboard: string;
  readonly labels?: Readonly<Record<string, string>>;
  /** It fires with these labels beside its own. */
  readonly fires: RuleCase & { readonly labels?: Readonly<Record<string, string>> };
  /** Other cases in which it fires, with the same labels. */
  readonly alsoFires?: readonly RuleCase[];
  /** Just below: the same case, without the fault. */
  readonly silent: readonly RuleCase[];
}

/** A family of alerts: one group of rules. */
export interface AlertGroup {
  readonly name: string;
  readonly alerts: (time: Time) => readonly Alert[];
}

/** Series of this service, whatever their other labels. */
export const JOB = 'job="orchestrator"';
