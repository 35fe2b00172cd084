/** The queries of the document, on a real Prometheus that scrapes the service. */
import { expect, test } from "vitest";
import { IN_CI } from "../clients/programs.ts";
import { eventually } from "../support/eventually.ts";
import { findFreePort } from "../support/free-port.ts";
import { hasPrometheus, startPrometheus } from "../support/monitoring/prometheus.ts";
import { startServeForTest } from "../support/serve-process.ts";
import { createTemporaryFolder } from "../support/temporary-folder.ts";
import { curl } from "./curl.ts";

const SERVICE = 'service="orchestrator"';
const ALL = `http_requests_total{${SERVICE}}`;
const FAILED = `http_requests_total{${SERVICE},status=~"5.."}`;

/** Those of the document, with single braces: it was written for a formatter that turns two into one. */
const DOCUMENT = {
  requests: `rate(${ALL}[5m])`,
  errors: `rate(${FAILED}[5m]) / rate(${ALL}[5m]) * 100`,
  latency: `histogram_quantile(0.95, rate(http_request_duration_seconds_bucket{${SERVICE}}[5m]))`,
} as const;

/** What docs/seeds.md names in the place of those that say nothing, or that need somebody else's metrics. */
const INSTEAD = {
  errors: `sum by (service) (rate(${FAILED}[5m])) / sum by (service) (rate(${ALL}[5m])) * 100`,
  processor: 'rate(process_cpu_seconds_total{job="orchestrator"}[5m]) * 100',
  memory: 'process_resident_memory_bytes{job="orchestrator"} / 1024/1024/1024',
} as const;

/** A series of an answer. */
interface Sample {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: number;
}

test.skipIf(!hasPrometheus && !IN_CI)(
  "the queries of the document show what callers saw",
  { timeout: 240_000 },
  async () => {
    const service = await startServeForTest({
      folder: createTemporaryFolder(),
      env: { REGISTRY_URL: `http://127.0.0.1:${await findFreePort()}`, REGISTRY_CACHE_DIR: createTemporaryFolder() },
    });
    const prometheus = await startPrometheus({ scrape: [`127.0.0.1:${service.metricsPort}`] });
    const evaluate = async (query: string): Promise<readonly Sample[]> =>
      (await prometheus.query(query)).map(({ metric, value: [, text] }) => ({ metric, value: Number(text) }));
    const url = `http://127.0.0.1:${service.port}`;
    const ask = async (): Promise<void> => {
      expect((await curl(url, "/health")).status).toBe(200);
      // Nobody is at the address of the registry.
      const task = [
        "-X",
        "POST",
        "-H",
        "Content-Type: application/json",
        "-d",
        '{"droplet_name": "gone", "path": "/"}',
      ];
      expect((await curl(url, "/orchestrator/tasks", ...task)).status).toBe(503);
    };
    const one = (samples: readonly Sample[], labels: Readonly<Record<string, string>>): number => {
      const found = samples.filter(({ metric }) => Object.entries(labels).every(([name, is]) => metric[name] === is));
      expect(found, JSON.stringify(samples)).toHaveLength(1);
      return found[0]?.value ?? Number.NaN;
    };

    await eventually(
      async () => {
        await ask();
        const requests = await evaluate(DOCUMENT.requests);
        expect(one(requests, { route: "/health", status: "200" })).toBeGreaterThan(0);
        expect(one(requests, { route: "/orchestrator/*", status: "503" })).toBeGreaterThan(0);
        const latency = await evaluate(DOCUMENT.latency);
        expect(one(latency, { route: "/health" })).toBeGreaterThan(0);
        expect(latency.every(({ metric }) => metric.service === "orchestrator")).toBe(true);
      },
      { timeoutMs: 120_000, intervalMs: 500 },
    );

    // Each series divided by its own value: 100 % whatever share of the calls failed.
    const ratio = await evaluate(DOCUMENT.errors);
    expect(one(ratio, { status: "503" })).toBe(100);
    const [share, ...others] = await evaluate(INSTEAD.errors);
    expect(others).toEqual([]);
    expect(share?.metric).toEqual({ service: "orchestrator" });
    expect(share?.value).toBeGreaterThan(0);
    expect(share?.value).toBeLessThan(100);
    for (const query of [INSTEAD.processor, INSTEAD.memory]) {
      const [sample] = await evaluate(query);
      expect(sample?.value, query).toBeGreaterThan(0);
    }
  },
);
