/** What dashboards are built of: graphs over time, figures that are judged at a glance, and states over time. */
import type { Builder } from "@grafana/grafana-foundation-sdk/cog";
import {
  BigValueColorMode,
  BigValueGraphMode,
  GraphThresholdsStyleMode,
  LegendDisplayMode,
  LegendPlacement,
  SortOrder,
  StackingMode,
  TooltipDisplayMode,
  VisibilityMode,
} from "@grafana/grafana-foundation-sdk/common";
import {
  type DashboardLink,
  DashboardLinkBuilder,
  MappingType,
  type Panel,
  type ThresholdsConfig,
  ThresholdsConfigBuilder,
  ThresholdsMode,
} from "@grafana/grafana-foundation-sdk/dashboard";
import { type Dataquery, DataqueryBuilder } from "@grafana/grafana-foundation-sdk/prometheus";
import { PanelBuilder as FigureBuilder } from "@grafana/grafana-foundation-sdk/stat";
import { PanelBuilder as StatesBuilder } from "@grafana/grafana-foundation-sdk/statetimeline";
import { PanelBuilder as GraphBuilder } from "@grafana/grafana-foundation-sdk/timeseries";
import {
  BytesIEC,
  CountsPerSecond,
  Dollars,
  DurationSeconds,
  PercentUnit,
  RequestsPerSecond,
  Seconds,
  Short,
} from "@grafana/grafana-foundation-sdk/units";
import { hasExemplars, type Query } from "./query.ts";

/** What numbers are. */
export const UNITS = {
  bytes: BytesIEC,
  count: Short,
  dollars: Dollars,
  duration: DurationSeconds,
  events: CountsPerSecond,
  part: PercentUnit,
  requests: RequestsPerSecond,
  seconds: Seconds,
} as const;

/** The source of all data is chosen on the dashboard. */
export const SOURCE = { type: "prometheus", uid: "${datasource}" };

/** What each panel says about itself. */
export interface About {
  readonly title: string;
  /** What is seen, and what is normal. */
  readonly description: string;
  readonly unit: keyof typeof UNITS;
  readonly queries: readonly Query[];
  /** The dashboard that shows more. */
  readonly next?: string;
  /** From which value on it is to be looked at, and from which it hurts. Falling ones hurt below. */
  readonly limits?: readonly [look: number, hurts: number];
  /** Columns of 24. */
  readonly span?: number;
}

/** What the builders of panels share. */
interface PanelBuilder {
  title(text: string): this;
  description(text: string): this;
  unit(unit: string): this;
  datasource(source: typeof SOURCE): this;
  withTarget(target: Builder<Dataquery>): this;
  links(links: Builder<DashboardLink>[]): this;
  thresholds(thresholds: Builder<ThresholdsConfig>): this;
  span(columns: number): this;
  height(rows: number): this;
}

/** A panel to be placed on a dashboard. */
export type PanelOf = Builder<Panel>;

/** Lines over time. */
export function graph(about: About, { stacked = false }: { stacked?: boolean } = {}): PanelOf {
  const builder = describe(new GraphBuilder(), about, 8, 8, false)
    .min(0)
    .lineWidth(1)
    .fillOpacity(stacked ? 40 : 10)
    .showPoints(VisibilityMode.Never)
    .legend({ build: () => LEGEND })
    .tooltip({ build: () => ({ mode: TooltipDisplayMode.Multi, sort: SortOrder.Descending }) });
  if (about.limits !== undefined) builder.thresholdsStyle({ build: () => ({ mode: GraphThresholdsStyleMode.Dashed }) });
  return stacked ? builder.stacking({ build: () => ({ mode: StackingMode.Normal, group: "A" }) }) : builder;
}

/** The last value, coloured by its limits. */
export function figure(about: About): PanelOf {
  return describe(new FigureBuilder(), about, 4, 4, true)
    .colorMode(about.limits === undefined ? BigValueColorMode.None : BigValueColorMode.Background)
    .graphMode(BigValueGraphMode.None)
    .reduceOptions({ build: () => ({ calcs: ["lastNotNull"], fields: "", values: false }) });
}

/** 1 and 0 over time, in words. */
export function states(about: About, words: { readonly 1: string; readonly 0: string }): PanelOf {
  const options = { 1: { text: words[1], color: "green", index: 0 }, 0: { text: words[0], color: "red", index: 1 } };
  return describe(new StatesBuilder(), about, 12, 8, false)
    .mappings([{ type: MappingType.ValueToText, options }])
    .showValue(VisibilityMode.Never)
    .mergeValues(true)
    .legend({ build: () => LEGEND });
}

const LEGEND = {
  displayMode: LegendDisplayMode.List,
  placement: LegendPlacement.Bottom,
  showLegend: true,
  calcs: [],
};

function describe<B extends PanelBuilder>(builder: B, about: About, span: number, height: number, instant: boolean): B {
  const { title, description, unit, queries, next, limits } = about;
  builder.title(title).description(description).unit(UNITS[unit]).datasource(SOURCE);
  builder.span(about.span ?? span).height(height);
  for (const [index, { expr, legend }] of queries.entries()) {
    const query = new DataqueryBuilder().refId(String.fromCharCode(65 + index)).datasource(SOURCE);
    if (!instant && hasExemplars(expr)) query.exemplar(true);
    builder.withTarget((instant ? query.instant() : query.range()).expr(expr).legendFormat(legend));
  }
  if (next !== undefined) {
    const url = `/d/${next}?\${__url_time_range}&\${__all_variables}`;
    builder.links([new DashboardLinkBuilder("More").url(url)]);
  }
  if (limits !== undefined) builder.thresholds(toThresholds(limits));
  return builder;
}

function toThresholds([look, hurts]: readonly [number, number]): Builder<ThresholdsConfig> {
  const steps =
    look <= hurts
      ? [
          { value: null, color: "green" },
          { value: look, color: "yellow" },
          { value: hurts, color: "red" },
        ]
      : [
          { value: null, color: "red" },
          { value: hurts, color: "yellow" },
          { value: look, color: "green" },
        ];
  return new ThresholdsConfigBuilder().mode(ThresholdsMode.Absolute).steps(steps);
}
