import { availableParallelism } from "node:os";
import { join } from "node:path";
import { defineConfig } from "vitest/config";
import { SlowFirst } from "./test/support/slow-first.ts";

/**
 * Suites by speed and need. Those with `postgres` share one embedded server that a global setup starts once per run.
 */
const suites = [
  { name: "unit", timeoutMs: 10_000 },
  { name: "oracle", timeoutMs: 10_000 },
  { name: "property", timeoutMs: 60_000 },
  { name: "differential", timeoutMs: 120_000 },
  { name: "house", timeoutMs: 60_000 },
  { name: "contract", timeoutMs: 60_000, postgres: true },
  { name: "rpc", timeoutMs: 30_000, postgres: true },
  { name: "integration", timeoutMs: 60_000, postgres: true },
  { name: "kafka", timeoutMs: 120_000, postgres: true, kafka: true },
  { name: "redis", timeoutMs: 60_000, postgres: true, redis: true },
  { name: "seeds", timeoutMs: 120_000, postgres: true, kafka: true, redis: true },
  { name: "clients", timeoutMs: 300_000, postgres: true },
  { name: "judges", timeoutMs: 300_000 },
  { name: "observability", timeoutMs: 180_000, postgres: true },
  { name: "crash", timeoutMs: 300_000, postgres: true },
  { name: "package", timeoutMs: 300_000 },
  { name: "deploy", timeoutMs: 60_000 },
  { name: "image", timeoutMs: 300_000 },
] as const;

export default defineConfig({
  test: {
    // Most files wait, for processes that they started and for time to pass: two at a time keep half of two cores busy.
    maxWorkers: availableParallelism() + 1,
    sequence: { sequencer: SlowFirst },
    // Hundreds of processes start from the sources: what one has compiled serves the next.
    env: {
      NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE ?? join(import.meta.dirname, "node_modules/.cache/compiled"),
    },
    projects: suites.map((suite) => ({
      extends: true,
      test: {
        name: suite.name,
        include: [`test/${suite.name}/**/*.test.ts`],
        testTimeout: suite.timeoutMs,
        hookTimeout: Math.max(suite.timeoutMs, 60_000),
        // Real processes race each other on two noisy cores: in CI a test may fail once, and the report names it.
        retry: process.env.CI === "true" ? 1 : 0,
        globalSetup: [
          ...("postgres" in suite ? ["./test/support/global-postgres.ts"] : []),
          ...("kafka" in suite ? ["./test/support/global-kafka.ts"] : []),
          ...("redis" in suite ? ["./test/support/global-redis.ts"] : []),
        ],
      },
    })),
  },
});
