import { expect, test } from "vitest";
import { createMetrics, type Metrics } from "../../../../src/telemetry/metrics/metrics.ts";
import { asksForOpenMetrics } from "../../../../src/telemetry/metrics/open-metrics.ts";
import type { OpenMetricsText } from "../../../support/monitoring/open-metrics.ts";
import { readOpenMetrics } from "../../../support/monitoring/open-metrics.ts";

const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";
const OTHER = "0af7651916cd43dd8448eb211c80319c";
/** What Prometheus 2.42 sends. */
const PROMETHEUS =
  "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";

const METHOD = ["unary", "orchestrator.v1.RunService", "GetRun"] as const;

async function scrape(metrics: Metrics): Promise<OpenMetricsText> {
  const { contentType, text } = await metrics.answer(PROMETHEUS);
  expect(contentType).toBe("application/openmetrics-text; version=1.0.0; charset=utf-8");
  return readOpenMetrics(text);
}

/** Without the metrics of the process, which differ from one reading to the next. */
function ownLines(text: string): string {
  return text.slice(0, text.indexOf("# HELP process_"));
}

test("a bucket has the last traced call that it counted as exemplar", async () => {
  const metrics = createMetrics({ withExemplars: true });
  const seconds = metrics.histogram("grpc_server_handling_seconds", ...METHOD);
  seconds.observe(0.2, OTHER);
  seconds.observe(0.2, TRACE);
  seconds.observe(0.2);
  seconds.observe(70, OTHER);
  const before = Date.now() / 1_000;
  const { exemplars } = await scrape(metrics);
  const labels = { grpc_type: "unary", grpc_service: "orchestrator.v1.RunService", grpc_method: "GetRun" };
  expect(exemplars).toEqual([
    {
      name: "grpc_server_handling_seconds_bucket",
      labels: { ...labels, le: "0.25" },
      exemplar: { labels: { trace_id: TRACE }, value: 0.2, at: expect.any(Number) },
    },
    {
      name: "grpc_server_handling_seconds_bucket",
      labels: { ...labels, le: "+Inf" },
      exemplar: { labels: { trace_id: OTHER }, value: 70, at: expect.any(Number) },
    },
  ]);
  for (const { exemplar } of exemplars) expect(Math.abs(exemplar.at - before)).toBeLessThan(60);
});

test("all metrics are OpenMetrics with the same values, whatever their labels hold", async () => {
  const metrics = createMetrics({ withExemplars: true });
  metrics.counter("orchestrator_tasks_completed_total", 'a"b\\c\nd').add(3);
  metrics.gauge("orchestrator_active_runs").hide();
  metrics.gauge("orchestrator_queue_tasks", "mail", "WAITING").set(2);
  metrics.histogram("orchestrator_timer_lateness_seconds").observe(1);
  const { families, samples } = await scrape(metrics);
  expect(samples.get('orchestrator_tasks_completed_total{status="a\\"b\\\\c\\nd"}')).toBe(3);
  expect(samples.get('orchestrator_queue_tasks{queue="mail",state="WAITING"}')).toBe(2);
  expect(samples.get('orchestrator_timer_lateness_seconds_bucket{le="1.0"}')).toBe(1);
  expect(samples.get('orchestrator_timer_lateness_seconds_bucket{le="0.5"}')).toBe(0);
  expect(samples.has("orchestrator_active_runs{}")).toBe(false);
  expect(families.get("orchestrator_tasks_completed")).toBe("counter");
  expect(families.get("process_cpu_user_seconds")).toBe("counter");
  expect(families.get("nodejs_gc_duration_seconds")).toBe("histogram");
});

test("readers that do not ask for OpenMetrics get the same bytes as from a service without traces", async () => {
  const [traced, untraced] = [createMetrics({ withExemplars: true }), createMetrics()];
  for (const [metrics, traceId] of [
    [traced, TRACE],
    [untraced, undefined],
  ] as const)
    for (const value of [0.2, 1, 70])
      metrics.histogram("grpc_server_handling_seconds", ...METHOD).observe(value, traceId);
  const plain = await untraced.answer(undefined);
  expect(plain.contentType).toBe("text/plain; version=0.0.4; charset=utf-8");
  const same = { contentType: plain.contentType, text: ownLines(plain.text) };
  for (const [metrics, accept] of [
    [traced, undefined],
    [traced, "*/*"],
    [traced, "text/plain"],
    [untraced, PROMETHEUS],
  ] as const) {
    const { contentType, text } = await metrics.answer(accept);
    expect({ contentType, text: ownLines(text) }).toEqual(same);
  }
  expect(ownLines(await traced.render())).toBe(same.text);
});

test.each([
  [PROMETHEUS, true],
  ["application/openmetrics-text", true],
  ['Application/OpenMetrics-Text; version="1.0.0"; charset=utf-8', true],
  // Prometheus 3.
  [
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,text/plain;version=1.0.0;q=0.3,*/*;q=0.2",
    true,
  ],
  [undefined, false],
  ["", false],
  ["*/*", false],
  ["text/plain", false],
  ["application/openmetrics-text;q=0", false],
  ["application/openmetrics-text;q=x", false],
  ["application/openmetrics-text;version=2.0.0", false],
  ["application/openmetrics-text;q=0.4,text/plain;q=0.5", false],
] as const)("%s asks for OpenMetrics: %s", (accept, asked) => {
  expect(asksForOpenMetrics(accept)).toBe(asked);
});

test.each([
  ["no end", "# HELP a a\n# TYPE a gauge\na 1\n"],
  ["a counter without its suffix", "# HELP a a\n# TYPE a counter\na 1\n# EOF\n"],
  ["a bound that is no float", '# HELP a a\n# TYPE a histogram\na_bucket{le="1"} 1\n# EOF\n'],
  ["an empty line", "# HELP a a\n# TYPE a gauge\n\na 1\n# EOF\n"],
  [
    "an exemplar above its bucket",
    '# HELP a a\n# TYPE a histogram\na_bucket{le="1.0"} 1 # {trace_id="t"} 2 1\n# EOF\n',
  ],
])("the reader of these tests is strict: %s", (_, text) => {
  expect(() => readOpenMetrics(text)).toThrow();
});
