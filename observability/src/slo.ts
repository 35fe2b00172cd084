/**
 * Service level objectives: each is a ratio of bad events to all, over 30 days. Of each, rules record the ratio over the
 * windows of its burn rates, and two alerts watch how fast the budget burns: both windows of a pair have to be over the
 * limit, the long one so that it matters, the short one so that the alert ends when the fault does.
 */
import { type Alert, type AlertGroup, DAY, HOUR, JOB, MINUTE, type Time } from "./rule.ts";

export interface Objective {
  /** The label `slo` of its rules. */
  readonly id: string;
  readonly title: string;
  /** Part of the events that must be good. */
  readonly target: number;
  /** Bad events, and all that count, as sums over a range. */
  readonly bad: (range: string) => string;
  readonly valid: (range: string) => string;
  /** Events in the long window below which nobody is called: one of a handful is no trend. */
  readonly least: number;
  readonly dashboard: string;
  readonly impact: string;
  /** By how much counters rise with 10,000 events, of which a part is bad. */
  readonly sample: (badPart: number) => Readonly<Record<string, number>>;
}

/** Counters that rise by so much with each value. */
const rising = (rates: Readonly<Record<string, number>>): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(rates).map(([series, rate]) => [series, `0+${Math.round(rate)}x100`]));

const EVENTS = 10_000;

/** How a bound is written: in the text format of Prometheus, and in OpenMetrics. */
const spellingsOf = (bound: number): readonly string[] =>
  Number.isInteger(bound) ? [`${bound}`, `${bound}.0`] : [`${bound}`];

/** Matches a bound in each spelling: instances of both may run side by side. */
const upTo = (bound: number): string => (Number.isInteger(bound) ? `le=~"${bound}|${bound}[.]0"` : `le="${bound}"`);

/** A histogram whose bad events are above one of its bounds, from an instance for each spelling of it. */
const sampleOf =
  (name: string, labels: string, bound: number) =>
  (badPart: number): Readonly<Record<string, number>> => {
    const spellings = spellingsOf(bound);
    const events = EVENTS / spellings.length;
    const series = spellings.flatMap((le): readonly [string, number][] => {
      const one = `job="orchestrator",instance="${le}"${labels}`;
      return [
        [`${name}_count{${one}}`, events],
        [`${name}_bucket{${one},le="${le}"}`, events * (1 - badPart)],
      ];
    });
    return Object.fromEntries(series);
  };

const METHOD = ',grpc_type="unary",grpc_service="orchestrator.v1.RunService",grpc_method="GetRun"';

/** Codes that are the fault of the service. */
export const SERVER_FAULTS = "UNKNOWN|INTERNAL|UNAVAILABLE|DATA_LOSS|DEADLINE_EXCEEDED|UNIMPLEMENTED";

/** Calls of users: probes and reflection are none. */
export const USER_CALLS = 'grpc_service!~"grpc[.](health|reflection)[.].*|orchestrator[.]health[.].*"';
const CALLS = `${JOB},${USER_CALLS}`;

/** Calls that wait or stream by their nature have no latency. */
export const QUICK_CALLS =
  'grpc_type="unary",grpc_method!~"WaitRun|StartRun|FetchTasks|GenerateFlow",grpc_service!~"grpc[.].*|orchestrator[.]health[.].*"';
const QUICK = `${JOB},${QUICK_CALLS}`;

const sum = (selector: string, range: string): string => `sum(increase(${selector}[${range}]))`;

/** Events of a histogram that took longer than one of its bounds. */
const slower = (name: string, selector: string, bound: number, range: string): string =>
  `(${sum(`${name}_count{${selector}}`, range)} - ${sum(`${name}_bucket{${selector},${upTo(bound)}}`, range)})`;

/** Messages to topics and Streams: webhooks are as late as their receivers. */
const PUBLISHED = `${JOB},destination!="webhook"`;

export const OBJECTIVES: readonly Objective[] = [
  {
    ...{ id: "api-availability", title: "API availability", target: 0.999, least: 100, dashboard: "orchestrator-api" },
    bad: (range) => sum(`grpc_server_handled_total{${CALLS},grpc_code=~"${SERVER_FAULTS}"}`, range),
    valid: (range) => sum(`grpc_server_handled_total{${CALLS}}`, range),
    impact: "Calls of clients fail, and are repeated if the client does so.",
    sample: (badPart) => ({
      [`grpc_server_handled_total{job="orchestrator"${METHOD},grpc_code="INTERNAL"}`]: EVENTS * badPart,
      [`grpc_server_handled_total{job="orchestrator"${METHOD},grpc_code="OK"}`]: EVENTS * (1 - badPart),
    }),
  },
  {
    ...{ id: "api-latency", title: "API latency", target: 0.99, least: 100, dashboard: "orchestrator-api" },
    bad: (range) => slower("grpc_server_handling_seconds", QUICK, 0.25, range),
    valid: (range) => sum(`grpc_server_handling_seconds_count{${QUICK}}`, range),
    impact: "Calls that answer at once otherwise take longer than 250 ms.",
    sample: sampleOf("grpc_server_handling_seconds", METHOD, 0.25),
  },
  {
    ...{ id: "timers", title: "Timers", target: 0.999, least: 100, dashboard: "orchestrator-recovery" },
    bad: (range) => slower("orchestrator_timer_lateness_seconds", JOB, 1, range),
    valid: (range) => sum(`orchestrator_timer_lateness_seconds_count{${JOB}}`, range),
    impact: "Retries, timeouts, and waits of flows happen more than a second late.",
    sample: sampleOf("orchestrator_timer_lateness_seconds", "", 1),
  },
  {
    ...{ id: "recovery", title: "Recovery", target: 0.99, least: 0, dashboard: "orchestrator-recovery" },
    bad: (range) => slower("orchestrator_recovery_lag_seconds", JOB, 30, range),
    valid: (range) => sum(`orchestrator_recovery_lag_seconds_count{${JOB}}`, range),
    impact: "Runs of an instance that died stood still for more than 30 s.",
    sample: sampleOf("orchestrator_recovery_lag_seconds", "", 30),
  },
  {
    ...{ id: "events", title: "Events", target: 0.999, least: 100, dashboard: "orchestrator-events" },
    bad: (range) => slower("orchestrator_outbox_delivery_seconds", PUBLISHED, 5, range),
    valid: (range) => sum(`orchestrator_outbox_delivery_seconds_count{${PUBLISHED}}`, range),
    impact: "Executors get tasks, and others events, more than 5 s after the run has sent them.",
    sample: sampleOf("orchestrator_outbox_delivery_seconds", ',destination="kafka"', 5),
  },
  {
    ...{ id: "gate", title: "Gate", target: 0.995, least: 100, dashboard: "orchestrator-dependencies" },
    // What got no verdict is bad, however soon it was told so.
    bad: (range) =>
      `(${sum(`orchestrator_gate_seconds_count{${JOB}}`, range)} - ${sum(`orchestrator_gate_seconds_bucket{${JOB},result="verdict",${upTo(0.1)}}`, range)})`,
    valid: (range) => sum(`orchestrator_gate_seconds_count{${JOB}}`, range),
    impact: "Goals and calls of tasks wait for more than 100 ms before they begin, or are refused or deferred.",
    sample: (badPart) => {
      const one = 'job="orchestrator",instance="a",checked="goal"';
      const [slow, unanswered] = [EVENTS * badPart * 0.5, EVENTS * badPart * 0.5];
      return {
        [`orchestrator_gate_seconds_count{${one},result="unavailable"}`]: unanswered,
        [`orchestrator_gate_seconds_bucket{${one},result="unavailable",le="0.1"}`]: unanswered,
        [`orchestrator_gate_seconds_count{${one},result="verdict"}`]: EVENTS - unanswered,
        [`orchestrator_gate_seconds_bucket{${one},result="verdict",le="0.1"}`]: EVENTS - unanswered - slow,
      };
    },
  },
];

/** The part of the events that were good, over a range; as SLO.md has it. Absent without events. */
export function goodPart({ bad, valid }: Pick<Objective, "bad" | "valid">, range: string): string {
  return `1 - (\n  (${bad(range)} or vector(0))\n  / (${valid(range)} > 0)\n)`;
}

/** Pairs of windows with the part of the budget of 30 days that is gone when the alert begins. */
const BURNS = [
  { ...{ long: HOUR, short: 5 * MINUTE, rate: 14.4, severity: "page" }, for: 2 * MINUTE },
  { ...{ long: 6 * HOUR, short: 30 * MINUTE, rate: 6, severity: "page" }, for: 15 * MINUTE },
  { ...{ long: DAY, short: 2 * HOUR, rate: 3, severity: "ticket" }, for: HOUR },
  { ...{ long: 3 * DAY, short: 6 * HOUR, rate: 1, severity: "ticket" }, for: 3 * HOUR },
] as const;

/** Windows of which the ratio is recorded. */
export const WINDOWS = [...new Set(BURNS.flatMap(({ long, short }) => [long, short]))].sort((a, b) => a - b);

/** Name of the rule that records the ratio over a window. */
export function ratioOf(window: string): string {
  return `slo:sli_error:ratio_rate${window}`;
}

/** A rule that records a ratio. */
export interface RecordingRule {
  readonly record: string;
  readonly expr: string;
  readonly labels: { readonly slo: string };
}

/** Recording rules of all objectives. A ratio without events is absent. */
export function recordObjectives(time: Time): readonly RecordingRule[] {
  return OBJECTIVES.flatMap(({ id, target, bad, valid }) => [
    ...WINDOWS.map((seconds) => {
      const range = time(seconds);
      // A bad event of a kind that was never seen has no series: `or vector(0)`.
      const expr = `((${bad(range)}) or vector(0)) / (${valid(range)} > 0)`;
      return { record: ratioOf(range), expr, labels: { slo: id } };
    }),
    { record: "slo:objective:ratio", expr: `vector(${target})`, labels: { slo: id } },
    {
      record: "slo:error_budget_left:ratio",
      expr: `1 - (((${bad(time(30 * DAY))}) or vector(0)) / (${valid(time(30 * DAY))} > 0)) / (1 - ${target})`,
      labels: { slo: id },
    },
  ]);
}

/** Two alerts for each objective: one that calls somebody, one that can wait. */
export const BURN_ALERTS: AlertGroup = {
  name: "orchestrator-objectives",
  alerts: (time) =>
    OBJECTIVES.flatMap((objective) => [burnAlert(objective, "page", time), burnAlert(objective, "ticket", time)]),
};

function burnAlert(objective: Objective, severity: "page" | "ticket", time: Time): Alert {
  const { id, title, target, least, dashboard, impact, valid } = objective;
  const burns = BURNS.filter((burn) => burn.severity === severity);
  const [first] = burns;
  if (first === undefined) throw new Error(`no windows for ${severity}`);
  const over = ({ long, short, rate }: (typeof BURNS)[number]): string =>
    [long, short]
      .map((window) => `${ratioOf(time(window))}{slo="${id}"} > ${round(rate * (1 - target))}`)
      .join(" and ");
  const enough = least === 0 ? "" : ` and on () (${valid(time(first.long))} > ${least})`;
  const name = `${title.replaceAll(/[^A-Za-z]+(.)/g, (_, letter: string) => letter.toUpperCase())}BudgetBurn${severity === "page" ? "Fast" : "Slow"}`;
  const lowest = Math.min(...burns.map(({ rate }) => rate));
  const budget = 1 - target;
  return {
    ...{ name, severity, dashboard, impact, for: time(first.for), keepFiringFor: time(10 * MINUTE) },
    expr: `(${burns.map((burn) => `(${over(burn)})`).join(" or ")})${enough}`,
    summary: `The error budget of the objective "${title}" burns ${severity === "page" ? "fast" : "steadily"}.`,
    description: `${100 * target} % of events must be good over 30 days. At this rate the budget is used up ${severity === "page" ? "within days" : "before the 30 days are over"}.`,
    labels: { slo: id },
    fires: { series: rising(objective.sample(lowest * budget * 1.3)), after: "5h" },
    silent: [{ series: rising(objective.sample(lowest * budget * 0.8)), after: "5h" }],
  };
}

function round(value: number): number {
  return Number(value.toFixed(6));
}
