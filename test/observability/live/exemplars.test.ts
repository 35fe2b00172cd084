/** A real Prometheus scrapes the real service as OpenMetrics, and keeps its exemplars. */
import { expect, test } from "vitest";
import { eventually } from "../../support/eventually.ts";
import { startPrometheus } from "../../support/monitoring/prometheus.ts";
import { createTestDatabase } from "../../support/postgres.ts";
import { startServeForTest } from "../../support/serve-process.ts";
import { createTemporaryFolder } from "../../support/temporary-folder.ts";
import { openTraceReceiver } from "../../support/traces/trace-receiver.ts";

const { url } = await createTestDatabase();
const [SAMPLED, UNSAMPLED] = ["a".repeat(32), "b".repeat(32)];

/** Series of a query with their exemplars. */
interface Answer {
  readonly data: readonly {
    readonly seriesLabels: Readonly<Record<string, string>>;
    readonly exemplars: readonly { readonly labels: Readonly<Record<string, string>> }[];
  }[];
}

test("a latency leads to the trace of a call that was sampled, and bounds of buckets are those of the rules", async () => {
  const collector = await openTraceReceiver();
  const env = {
    DATABASE_URL: url,
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.httpUrl,
    OTEL_EXPORTER_OTLP_PROTOCOL: "http/protobuf",
  };
  const service = await startServeForTest({ folder: createTemporaryFolder(), env });
  const prometheus = await startPrometheus({
    scrape: [`127.0.0.1:${service.metricsPort}`],
    features: ["exemplar-storage"],
  });
  const call = async (traceId: string, flags: string): Promise<void> => {
    const headers = { traceparent: `00-${traceId}-00f067aa0ba902b7-${flags}` };
    await fetch(`http://${service.address}/v1/runs`, { headers });
  };
  await call(SAMPLED, "01");
  await call(UNSAMPLED, "00");
  const query = encodeURIComponent(
    'histogram_quantile(0.95, sum by (le) (rate({__name__=~"(grpc_server_handling|http_request_duration)_seconds_bucket"}[1m])))',
  );
  await eventually(
    async () => {
      const now = Math.ceil(Date.now() / 1_000);
      const range = `start=${now - 600}&end=${now + 60}`;
      const response = await fetch(`${prometheus.url}/api/v1/query_exemplars?query=${query}&${range}`);
      const { data } = (await response.json()) as Answer;
      const found = data.flatMap(({ seriesLabels, exemplars }) =>
        exemplars.map(({ labels }) => `${seriesLabels["__name__"]} ${labels["trace_id"]}`),
      );
      expect(found.toSorted()).toEqual([
        `grpc_server_handling_seconds_bucket ${SAMPLED}`,
        `http_request_duration_seconds_bucket ${SAMPLED}`,
      ]);
    },
    { timeoutMs: 60_000, intervalMs: 500 },
  );
  const bounds = await prometheus.query('orchestrator_timer_lateness_seconds_bucket{le=~"1|1[.]0"}');
  expect(bounds.map(({ metric }) => metric["le"])).toEqual(["1.0"]);
}, 200_000);
