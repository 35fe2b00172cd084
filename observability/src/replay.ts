/**
 * Outages replayed over the rules of an objective: when its alerts fire, when they end, and what is left of the budget.
 * promtool is the judge; SLO.md has the results.
 */
import { stringify } from "yaml";
import { type Alert, DAY, HOUR, MINUTE, realTime } from "./rule.ts";
import { BURN_ALERTS, OBJECTIVES, recordObjectives } from "./slo.ts";

/** An outage, with as many events at any time, and what the alerts of an objective make of it. */
export interface Replay {
  /** Id of the objective. */
  readonly objective: string;
  /** What happens, as the table says it after "for 10 min". */
  readonly what: string;
  /** Part of the events that are bad. */
  readonly badPart: number;
  /** Its events are counted at its end, all at once: nothing arrives while it lasts. */
  readonly isHeld?: true;
  /** How long, seconds. */
  readonly lasts: number;
  /** Seconds between two values and two evaluations: the precision of what follows. */
  readonly step: number;
  /** When an alert begins, seconds from the beginning of the outage, and when it ends; null: never. */
  readonly page: Span | null;
  readonly ticket: Span | null;
  /** Part of the budget of 30 days that is gone. */
  readonly spent: number;
}

/** A time in which an alert fires: seconds from the beginning of the outage. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

export const REPLAYS: readonly Replay[] = [
  {
    ...{ objective: "api-availability", what: "100 % of calls fail", badPart: 1 },
    ...{ lasts: 10 * MINUTE, step: 2 * MINUTE, spent: 0.231 },
    page: { from: 4 * MINUTE, to: 50 * MINUTE },
    ticket: { from: 66 * MINUTE, to: 380 * MINUTE },
  },
  {
    ...{ objective: "api-availability", what: "2 % of calls fail", badPart: 0.02 },
    ...{ lasts: 6 * HOUR, step: 2 * MINUTE, spent: 0.167 },
    page: { from: 46 * MINUTE, to: 392 * MINUTE },
    ticket: { from: 278 * MINUTE, to: 712 * MINUTE },
  },
  {
    ...{ objective: "api-availability", what: "0.2 % of calls fail", badPart: 0.002 },
    ...{ lasts: 5 * DAY, step: 4 * MINUTE, spent: 0.333 },
    page: null,
    ticket: { from: 2_224 * MINUTE, to: 7_392 * MINUTE },
  },
  {
    ...{ objective: "events", what: "no message arrives, and all do at its end", badPart: 1, isHeld: true },
    ...{ lasts: 10 * MINUTE, step: 2 * MINUTE, spent: 0.231 },
    page: { from: 12 * MINUTE, to: 50 * MINUTE },
    ticket: { from: 70 * MINUTE, to: 380 * MINUTE },
  },
  {
    ...{ objective: "events", what: "2 % of messages are late", badPart: 0.02 },
    ...{ lasts: 6 * HOUR, step: 2 * MINUTE, spent: 0.167 },
    page: { from: 46 * MINUTE, to: 392 * MINUTE },
    ticket: { from: 278 * MINUTE, to: 712 * MINUTE },
  },
  {
    ...{ objective: "gate", what: "100 % of checks have no verdict, or a late one", badPart: 1 },
    ...{ lasts: 10 * MINUTE, step: 2 * MINUTE, spent: 0.046 },
    page: { from: 8 * MINUTE, to: 24 * MINUTE },
    ticket: null,
  },
  {
    ...{ objective: "gate", what: "5 % of checks have no verdict, or a late one", badPart: 0.05 },
    ...{ lasts: 6 * HOUR, step: 2 * MINUTE, spent: 0.083 },
    page: { from: 220 * MINUTE, to: 382 * MINUTE },
    ticket: null,
  },
];

/** What the windows hold before an outage: the longest is 3 days. */
const BEFORE = 3 * DAY;

/** Time after an outage in which alerts end. */
const AFTER = 10 * HOUR;

const WINDOW = 30 * DAY;

/** Step of the replay that shows the budget, seconds. */
const BUDGET_STEP = 10 * MINUTE;

const BUDGET_LEFT = "slo:error_budget_left:ratio";

/** The rules of the folder that a replay needs: those of its objective, without what looks back for 30 days. */
export function renderReplayedRules({ objective }: Replay): string {
  const records = recordObjectives(realTime).filter(
    ({ record, labels }) => labels.slo === objective && record !== BUDGET_LEFT,
  );
  const alerts = alertsOf(objective);
  return stringify({
    groups: [
      {
        name: "replayed",
        rules: [
          ...records,
          ...alerts.map(({ name, expr, keepFiringFor, ...rest }) => ({
            ...{ alert: name, expr, for: rest.for, keep_firing_for: keepFiringFor },
          })),
        ],
      },
    ],
  });
}

function alertsOf(objective: string): readonly Alert[] {
  return BURN_ALERTS.alerts(realTime).filter(({ labels }) => labels?.["slo"] === objective);
}

/** Cases for promtool: when both alerts fire, for rules in `files`. */
export function renderTimes(replay: Replay, files: readonly string[]): string {
  const { objective, lasts, step, page, ticket } = replay;
  const end = BEFORE + lasts + AFTER;
  const times = alertsOf(objective).flatMap(({ name, severity }) => {
    const span = severity === "page" ? page : ticket;
    const fires = `timestamp(ALERTS{alertname="${name}",alertstate="firing"})[${end}s:${step}s]`;
    const expected = (value: number | undefined) => (value === undefined ? [] : [{ labels: "{}", value }]);
    return [
      { expr: `min(min_over_time(${fires})) - ${BEFORE}`, exp_samples: expected(span?.from) },
      { expr: `max(max_over_time(${fires})) + ${step} - ${BEFORE}`, exp_samples: expected(span?.to) },
    ].map((one) => ({ ...one, eval_time: `${end}s` }));
  });
  return renderTest(replay, { files, step, before: BEFORE, after: AFTER, every: step }, times);
}

/** A case for promtool: what part of the budget is gone at the end of 30 days, in percent. */
export function renderSpending(replay: Replay, files: readonly string[]): string {
  const recorded = recordObjectives(realTime).find(
    ({ record, labels }) => labels.slo === replay.objective && record === BUDGET_LEFT,
  );
  if (recorded === undefined) throw new Error("nothing records what is left of the budget");
  const expr = `round(100 * (1 - (${recorded.expr})), 0.1)`;
  const value = Math.round(1_000 * replay.spent) / 10;
  const before = WINDOW - replay.lasts - DAY;
  return renderTest(replay, { files, step: BUDGET_STEP, before, after: DAY, every: DAY }, [
    { expr, eval_time: `${WINDOW}s`, exp_samples: [{ labels: "{}", value }] },
  ]);
}

interface Frame {
  readonly files: readonly string[];
  readonly step: number;
  readonly before: number;
  readonly after: number;
  /** Interval of evaluations. */
  readonly every: number;
}

function renderTest(replay: Replay, frame: Frame, expressions: readonly object[]): string {
  const { files, step, every } = frame;
  const sample = OBJECTIVES.find(({ id }) => id === replay.objective)?.sample;
  if (sample === undefined) throw new Error(`no objective is called ${replay.objective}`);
  const during = sample(replay.badPart);
  const series = Object.entries(sample(0)).map(([name, otherwise]) => ({
    series: name,
    values: toValues(partsOf(replay, frame, Math.round(during[name] ?? 0), otherwise)),
  }));
  return stringify({
    ...{ rule_files: files, evaluation_interval: `${every}s` },
    tests: [{ interval: `${step}s`, input_series: series, promql_expr_test: expressions }],
  });
}

/** How much a counter rises with a step, and for how many steps. */
type Part = readonly [rate: number, times: number];

function partsOf({ lasts, isHeld }: Replay, frame: Frame, during: number, otherwise: number): readonly Part[] {
  const { step, before, after } = frame;
  const steps = lasts / step;
  const outage: readonly Part[] =
    isHeld === true
      ? [
          [0, steps - 1],
          [during * steps, 1],
        ]
      : [[during, steps]];
  return [[otherwise, before / step], ...outage, [otherwise, after / step]];
}

/** A counter that rises by so much, so many times, in the notation of promtool. */
function toValues(parts: readonly Part[]): string {
  let value = 0;
  const segments = parts
    .filter(([, times]) => times > 0)
    .map(([rate, times]) => {
      const segment = `${value + rate}+${rate}x${times - 1}`;
      value += rate * times;
      return segment;
    });
  return ["0", ...segments].join(" ");
}

/** The results as a table for SLO.md. */
export function tabulate(replays: readonly Replay[]): string {
  const rows = replays.map((replay) => {
    const { objective, lasts, page, ticket, spent } = replay;
    const title = OBJECTIVES.find(({ id }) => id === objective)?.title;
    return `| ${title} | ${nameOf(replay)} | ${tell(page, lasts)} | ${tell(ticket, lasts)} | ${Math.round(100 * spent)} % |`;
  });
  return [
    "| objective | outage | somebody is called | a ticket is opened | budget spent |",
    "|---|---|---|---|---|",
    ...rows,
  ].join("\n");
}

/** What happens, and for how long. */
export function nameOf({ what, lasts }: Replay): string {
  return `for ${toWords(lasts)}, ${what}`;
}

function tell(span: Span | null, lasts: number): string {
  if (span === null) return "never";
  const { from, to } = span;
  const end = to < lasts ? `ends after ${toWords(to)}` : `ends ${toWords(to - lasts)} after the outage`;
  return `after ${toWords(from)}; ${end}`;
}

function toWords(seconds: number): string {
  const minutes = Math.round(seconds / MINUTE);
  const parts = [
    [Math.floor(minutes / 1_440), "d"],
    [Math.floor((minutes % 1_440) / 60), "h"],
    [minutes % 60, "min"],
  ] as const;
  return parts.flatMap(([count, unit]) => (count === 0 ? [] : [`${count} ${unit}`])).join(" ");
}
