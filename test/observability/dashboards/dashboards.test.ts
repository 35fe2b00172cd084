/** Rules of all dashboards, over the committed files. */
import { expect, test } from "vitest";
import { ALERT_GROUPS } from "../../../observability/src/alerts/index.ts";
import { DASHBOARDS } from "../../../observability/src/dashboards/index.ts";
import { PAGES } from "../../../observability/src/pages.ts";
import { realTime } from "../../../observability/src/rule.ts";
import { recordObjectives } from "../../../observability/src/slo.ts";
import { METRICS, type MetricName } from "../../../src/telemetry/metrics/metric-table.ts";
import { COMMITTED, interpolate, QUERIES } from "./committed.ts";
import { parseQuery, type Selector } from "./promql.ts";

const PANELS = COMMITTED.flatMap(({ uid, panels }) => panels.map((panel) => ({ at: `${uid}: ${panel.title}`, panel })));
/** Values that tell which variable they came from. */
const VALUES = { job: "j", instance: "i", __rate_interval: "7m", __range: "9h" };
const PARSED = QUERIES.map((query) => ({ ...query, ...parseQuery(interpolate(query.expr, VALUES)) }));
const SELECTORS = PARSED.flatMap(({ place, expr, selectors }) => selectors.map((one) => ({ place, expr, one })));
const RECORDED = recordObjectives(realTime).map(({ record }) => record);

/** Labels of metrics that others show; those of `process_…` and `nodejs_…` have the labels of their scrape. */
const FOREIGN: Readonly<Record<string, readonly string[]>> = {
  ALERTS: ["alertname", "alertstate", "service", "severity"],
  up: [],
  scrape_samples_post_metric_relabeling: [],
  container_cpu_usage_seconds_total: ["container", "pod"],
  container_memory_usage_bytes: ["container", "pod"],
  nodejs_gc_duration_seconds: ["kind"],
  nodejs_heap_space_size_used_bytes: ["space"],
  nodejs_active_resources: ["type"],
};
const PROCESS = /^(process|nodejs)_[a-z0-9_]+$/;
const isForeign = ({ metric }: Selector): boolean => familyOf(metric) === undefined;

test("the folder has the dashboards of the list, each in the file of its uid", () => {
  expect(COMMITTED.map(({ file }) => file).toSorted()).toEqual(DASHBOARDS.map(({ uid }) => `${uid}.json`).toSorted());
  expect(COMMITTED.filter(({ file, uid }) => file !== `${uid}.json`)).toEqual([]);
});

test("uids and titles are unique, and no dashboard has the id of one Grafana", () => {
  for (const values of [COMMITTED.map(({ uid }) => uid), COMMITTED.map(({ title }) => title)])
    expect(new Set(values).size).toBe(COMMITTED.length);
  expect(COMMITTED.filter(({ id }) => id !== undefined)).toEqual([]);
});

test("each dashboard has its variables, marks deploys and alerts, and leads to siblings, runbook, and objectives", () => {
  for (const { uid, templating, annotations, links, tags } of COMMITTED) {
    expect(
      templating.list.map(({ name, type }) => [name, type]),
      uid,
    ).toEqual([
      ["datasource", "datasource"],
      ["job", "query"],
      ["instance", "query"],
    ]);
    expect(
      annotations.list.map(({ name }) => name),
      uid,
    ).toEqual(["Deploys", "Alerts"]);
    expect(
      links.map(({ type, url, tags: siblings = [] }) => (type === "dashboards" ? siblings : url)),
      uid,
    ).toEqual([["orchestrator"], PAGES.runbook, PAGES.objectives]);
    expect(tags, uid).toContain("orchestrator");
  }
});

test("the source of data is the variable everywhere", () => {
  const text = JSON.stringify(COMMITTED);
  const sources = text.match(/"datasource":\{"type":"prometheus","uid":"\$\{datasource\}"\}/g) ?? [];
  expect(sources.length).toBe(text.match(/"datasource":/g)?.length);
  expect(PANELS.filter(({ panel }) => panel.datasource === undefined).map(({ at }) => at)).toEqual([]);
  const targets = PANELS.flatMap(({ at, panel }) => panel.targets.map((target) => ({ at, target })));
  expect(targets.filter(({ target }) => target.datasource === undefined).map(({ at }) => at)).toEqual([]);
});

test("each panel has a title, a description in sentences, a unit, and queries with legends", () => {
  const faulty = PANELS.filter(
    ({ panel: { title, description = "", fieldConfig, targets } }) =>
      !/^[A-Z]/.test(title) ||
      !/^[A-Z0-9].*[.]$/.test(description) ||
      !fieldConfig.defaults.unit ||
      targets.length === 0 ||
      targets.some(({ legendFormat }) => !legendFormat),
  );
  expect(faulty.map(({ at }) => at)).toEqual([]);
});

test("latencies of calls over time show exemplars, and nothing else does", () => {
  const traced = /(grpc_server_handling|http_request_duration)_seconds_bucket/;
  const targets = PANELS.flatMap(({ at, panel: { type, targets } }) =>
    targets.map((target) => ({ at, type, ...target })),
  );
  const shown = targets.filter(({ exemplar }) => exemplar === true);
  expect(shown).toEqual(targets.filter(({ type, expr }) => type === "timeseries" && traced.test(expr)));
  expect(shown.map(({ at }) => at)).toEqual(
    expect.arrayContaining(["orchestrator-api: Latency", "orchestrator-api: Latency by route, p95"]),
  );
});

test("panels of a dashboard have titles and numbers of their own, and lie beside each other on the grid", () => {
  for (const { uid, panels } of COMMITTED) {
    expect(new Set(panels.map(({ title }) => title)).size, uid).toBe(panels.length);
    expect(new Set(panels.map(({ id }) => id)).size, uid).toBe(panels.length);
    const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, index) => `${x + (index % w)}:${y + Math.floor(index / w)}`),
    );
    expect(new Set(cells).size, uid).toBe(cells.length);
    expect(panels.filter(({ gridPos: { x, w } }) => x + w > 24).map(({ title }) => title)).toEqual([]);
  }
});

test("dashboards that alerts and panels name exist", () => {
  const uids = COMMITTED.map(({ uid }) => uid);
  const named = [
    ...ALERT_GROUPS.flatMap(({ alerts }) => alerts(realTime)).map(({ dashboard }) => dashboard),
    ...PANELS.flatMap(({ panel }) => panel.links ?? []).map(({ url = "" }) => /^\/d\/([^?]+)\?/.exec(url)?.[1] ?? url),
  ];
  expect(named.filter((uid) => !uids.includes(uid))).toEqual([]);
});

test("each query is one of Prometheus' language", () => {
  expect(PARSED.flatMap(({ place, errors }) => errors.map((error) => `${place}: ${error}`))).toEqual([]);
  expect(PARSED.filter(({ selectors }) => selectors.length === 0).map(({ place }) => place)).toEqual([]);
});

test("each metric and label of a query exists", () => {
  const faulty = SELECTORS.flatMap(({ place, one }) => {
    const labels = labelsOf(one.metric);
    if (labels === undefined) return [`${place}: ${one.metric}`];
    return [...one.matchers.keys(), ...one.labels]
      .filter((label) => !labels.includes(label))
      .map((label) => `${place}: ${one.metric} has no ${label}`);
  });
  expect(faulty).toEqual([]);
});

test("each label of a legend is one of its series", () => {
  const faulty = PARSED.filter(({ legend, selectors }) =>
    [...legend.matchAll(/\{\{(\w+)\}\}/g)].some(
      ([, label = ""]) =>
        !selectors.some(({ aggregation, metric }) => (aggregation?.by ?? labelsOf(metric) ?? []).includes(label)),
    ),
  );
  expect(faulty.map(({ place }) => place)).toEqual([]);
});

test("rates are over the interval that Grafana chooses, and counters are only looked at through them", () => {
  const ranges = SELECTORS.filter(({ one: { range, functions } }) =>
    functions.includes("increase")
      ? ![VALUES.__rate_interval, VALUES.__range].includes(range ?? "")
      : functions.includes("rate")
        ? range !== VALUES.__rate_interval
        : range !== null,
  );
  expect(ranges.map(({ place }) => place)).toEqual([]);
  const rated = ({ functions }: Selector): boolean => functions.some((name) => ["rate", "increase"].includes(name));
  const isCounter = ({ metric }: Selector): boolean => /_(total|count|sum|bucket)$/.test(metric);
  const faulty = SELECTORS.filter(({ one }) => isCounter(one) !== rated(one));
  expect(faulty.map(({ place }) => place)).toEqual([]);
});

test("job and instance choose series; gauges of the whole database are chosen by job alone, and their largest is taken", () => {
  const faulty = SELECTORS.filter(({ place }) => !place.includes(": annotation ")).filter(({ one }) => {
    const { metric, matchers, aggregation } = one;
    if (isForeign(one) && !PROCESS.test(metric) && !["up", "scrape_samples_post_metric_relabeling"].includes(metric))
      return false;
    if (matchers.get("job") !== '=~"j"') return true;
    if (isOfDatabase(metric)) return matchers.has("instance") || aggregation?.operator !== "max";
    return matchers.get("instance") !== '=~"i"';
  });
  expect(faulty.map(({ place, one }) => `${place}: ${one.metric}`)).toEqual([]);
});

test("a panel of containers falls back to processes", () => {
  const ofContainers = PARSED.filter(({ expr }) => expr.includes("container_"));
  expect(ofContainers.length).toBeGreaterThan(0);
  const faulty = ofContainers.filter(({ expr, hasFallback }) => !hasFallback || !expr.includes("process_"));
  expect(faulty.map(({ place }) => place)).toEqual([]);
});

/** The family of a series of ours. */
function familyOf(metric: string): MetricName | undefined {
  const family = [metric, metric.replace(/_(bucket|count|sum)$/, "")].find((name) => Object.hasOwn(METRICS, name));
  return family as MetricName | undefined;
}

/** Labels of a series, of those of its scrape as well; undefined: there is no such metric. */
function labelsOf(metric: string): readonly string[] | undefined {
  const family = familyOf(metric);
  const scraped = ["job", "instance", ...(metric.endsWith("_bucket") ? ["le"] : [])];
  if (family !== undefined) return [...METRICS[family].labels, ...scraped];
  const foreign = FOREIGN[metric] ?? FOREIGN[metric.replace(/_(bucket|count|sum)$/, "")];
  if (foreign !== undefined) return [...foreign, ...scraped];
  if (PROCESS.test(metric)) return scraped;
  return RECORDED.includes(metric) ? ["slo"] : undefined;
}

function isOfDatabase(metric: string): boolean {
  const family = familyOf(metric);
  return family !== undefined && METRICS[family].help.includes("Of the whole database");
}
