/**
 * Outages replayed over the rules of an objective: when its alerts fire, when they end, and what is left of the budget.
 * promtool is the judge; SLO.md has the results.
 */
import { stringify } from "yaml";
import { DAY, HOUR, MINUTE, realTime } from "./rule.ts";
import { BURN_ALERTS, OBJECTIVES, recordObjectives } from "./slo.ts";

/** An outage of the API with traffic that does not change, and what the alerts make of it. */
export interface Replay {
  /** Part of calls that fail. */
  readonly badPart: number;
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
    ...{ badPart: 1, lasts: 10 * MINUTE, step: 2 * MINUTE, spent: 0.231 },
    page: { from: 4 * MINUTE, to: 50 * MINUTE },
    ticket: { from: 66 * MINUTE, to: 380 * MINUTE },
  },
  {
    ...{ badPart: 0.02, lasts: 6 * HOUR, step: 2 * MINUTE, spent: 0.167 },
    page: { from: 46 * MINUTE, to: 392 * MINUTE },
    ticket: { from: 278 * MINUTE, to: 712 * MINUTE },
  },
  {
    ...{ badPart: 0.002, lasts: 5 * DAY, step: 4 * MINUTE, spent: 0.333 },
    page: null,
    ticket: { from: 2_224 * MINUTE, to: 7_392 * MINUTE },
  },
];

/** What the windows hold before an outage: the longest is 3 days. */
const BEFORE = 3 * DAY;

/** Time after an outage in which alerts end. */
const AFTER = 10 * HOUR;

/** Calls in a step. */
const CALLS = 1_000;

const WINDOW = 30 * DAY;

/** Step of the replay that shows the budget, seconds. */
const BUDGET_STEP = 10 * MINUTE;

const OBJECTIVE = "api-availability";
const ALERTS = { page: "APIAvailabilityBudgetBurnFast", ticket: "APIAvailabilityBudgetBurnSlow" } as const;
const BUDGET_LEFT = "slo:error_budget_left:ratio";

/** The rules of the folder that a replay needs: those of one objective, without what looks back for 30 days. */
export function renderReplayedRules(): string {
  const records = recordObjectives(realTime).filter(
    ({ record, labels }) => labels.slo === OBJECTIVE && record !== BUDGET_LEFT,
  );
  const alerts = BURN_ALERTS.alerts(realTime).filter(({ labels }) => labels?.["slo"] === OBJECTIVE);
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

/** Cases for promtool: when both alerts fire, for rules in `files`. */
export function renderTimes(replay: Replay, files: readonly string[]): string {
  const { lasts, step, page, ticket } = replay;
  const end = BEFORE + lasts + AFTER;
  const alerts = [
    [ALERTS.page, page],
    [ALERTS.ticket, ticket],
  ] as const;
  const times = alerts.flatMap(([name, span]) => {
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
    ({ record, labels }) => labels.slo === OBJECTIVE && record === BUDGET_LEFT,
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

function renderTest({ badPart, lasts }: Replay, frame: Frame, expressions: readonly object[]): string {
  const { files, step, before, after, every } = frame;
  const rising = (during: number, otherwise: number): string =>
    toValues([
      [otherwise, before / step],
      [during, lasts / step],
      [otherwise, after / step],
    ]);
  const [failed = "", answered = ""] = OBJECTIVES.filter(({ id }) => id === OBJECTIVE).flatMap(({ sample }) =>
    Object.keys(sample(badPart)),
  );
  return stringify({
    ...{ rule_files: files, evaluation_interval: `${every}s` },
    tests: [
      {
        interval: `${step}s`,
        input_series: [
          { series: failed, values: rising(Math.round(CALLS * badPart), 0) },
          { series: answered, values: rising(Math.round(CALLS * (1 - badPart)), CALLS) },
        ],
        promql_expr_test: expressions,
      },
    ],
  });
}

/** A counter that rises by so much, so many times, in the notation of promtool. */
function toValues(parts: readonly (readonly [rate: number, times: number])[]): string {
  let value = 0;
  const segments = parts.map(([rate, times]) => {
    const segment = `${value + rate}+${rate}x${times - 1}`;
    value += rate * times;
    return segment;
  });
  return ["0", ...segments].join(" ");
}

/** The results as a table for SLO.md. */
export function tabulate(replays: readonly Replay[]): string {
  const rows = replays.map(({ badPart, lasts, page, ticket, spent }) => {
    const outage = `${100 * badPart} % of calls fail for ${toWords(lasts)}`;
    return `| ${outage} | ${tell(page, lasts)} | ${tell(ticket, lasts)} | ${Math.round(100 * spent)} % |`;
  });
  return ["| outage | somebody is called | a ticket is opened | budget spent |", "|---|---|---|---|", ...rows].join(
    "\n",
  );
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
