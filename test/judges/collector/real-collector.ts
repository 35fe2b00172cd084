/** The real collector, as `judge.sh` builds it: takes spans over OTLP, and writes them as lines of JSON. */
import { spawn } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { eventually } from "../../support/eventually.ts";
import { findFreePort } from "../../support/free-port.ts";
import { createTemporaryFolder } from "../../support/temporary-folder.ts";
import type { ReceivedSpan } from "../../support/traces/otlp-messages.ts";

/** A running collector. */
interface RealCollector {
  readonly grpcUrl: string;
  readonly httpUrl: string;
  /** All spans that it has written so far. */
  readSpans(): readonly ReceivedSpan[];
}

/** Starts the program until the end of the test. */
export async function openRealCollector(program: string): Promise<RealCollector> {
  const folder = createTemporaryFolder();
  const [config, file] = [join(folder, "config.yaml"), join(folder, "spans.json")];
  const [grpcPort, httpPort] = [await findFreePort(), await findFreePort()];
  const protocols = {
    grpc: { endpoint: `127.0.0.1:${grpcPort}` },
    http: { endpoint: `127.0.0.1:${httpPort}` },
  };
  const settings = {
    receivers: { otlp: { protocols } },
    processors: { batch: { timeout: "100ms" } },
    exporters: { file: { path: file, flush_interval: "100ms" } },
    service: {
      telemetry: { metrics: { level: "none" }, logs: { level: "warn" } },
      pipelines: { traces: { receivers: ["otlp"], processors: ["batch"], exporters: ["file"] } },
    },
  };
  writeFileSync(config, JSON.stringify(settings));
  const child = spawn(program, ["--config", `file:${config}`], { stdio: ["ignore", "pipe", "pipe"] });
  onTestFinished(() => void child.kill("SIGKILL"));
  let printed = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk: Buffer) => (printed += chunk));
  const httpUrl = `http://127.0.0.1:${httpPort}`;
  await eventually(
    async () => {
      // Any answer is one.
      await fetch(`${httpUrl}/v1/traces`).catch((error: unknown) => {
        throw new Error(`the collector does not answer; it printed:\n${printed}`, { cause: error });
      });
    },
    { timeoutMs: 20_000 },
  );
  return {
    ...{ grpcUrl: `http://127.0.0.1:${grpcPort}`, httpUrl },
    readSpans: () => (existsSync(file) ? readFileSync(file, "utf8").split("\n") : []).flatMap(readLine),
  };
}

interface JsonKey {
  readonly key: string;
  readonly value: {
    readonly stringValue?: string;
    /** As text. */
    readonly intValue?: string;
    readonly boolValue?: boolean;
    readonly doubleValue?: number;
  };
}

/** A line of the file: spans by their resource. What is empty is left out. */
interface JsonExport {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly JsonKey[] };
    readonly scopeSpans: readonly {
      readonly spans: readonly {
        readonly traceId: string;
        readonly spanId: string;
        readonly parentSpanId?: string;
        readonly traceState?: string;
        readonly name: string;
        readonly kind: number;
        readonly startTimeUnixNano: string;
        readonly endTimeUnixNano: string;
        readonly attributes?: readonly JsonKey[];
        readonly events?: readonly { readonly name: string; readonly attributes?: readonly JsonKey[] }[];
        readonly links?: readonly {
          readonly traceId: string;
          readonly spanId: string;
          readonly attributes?: readonly JsonKey[];
        }[];
        readonly status?: { readonly code?: number };
      }[];
    }[];
  }[];
}

const KINDS = ["internal", "internal", "server", "client", "producer", "consumer"] as const;
const ERROR = 2;

function readLine(line: string): readonly ReceivedSpan[] {
  // The last line may be half written.
  if (!line.endsWith("}")) return [];
  const { resourceSpans } = JSON.parse(line) as JsonExport;
  return resourceSpans.flatMap(({ resource, scopeSpans }) =>
    scopeSpans.flatMap(({ spans }) =>
      spans.map((span) => ({
        service: toAttributes(resource.attributes),
        ...{ traceId: span.traceId, spanId: span.spanId, parentId: span.parentSpanId ?? "" },
        ...{ traceState: span.traceState ?? "", name: span.name, kind: KINDS[span.kind] ?? "internal" },
        ...{ startedAt: Number(span.startTimeUnixNano) / 1e6, endedAt: Number(span.endTimeUnixNano) / 1e6 },
        error: span.status?.code === ERROR,
        attributes: toAttributes(span.attributes),
        events: (span.events ?? []).map(({ name, attributes }) => ({ name, attributes: toAttributes(attributes) })),
        links: (span.links ?? []).map(({ traceId, spanId, attributes }) => ({
          ...{ traceId, spanId },
          attributes: toAttributes(attributes),
        })),
      })),
    ),
  );
}

function toAttributes(pairs: readonly JsonKey[] = []): ReceivedSpan["attributes"] {
  return Object.fromEntries(
    pairs.map(({ key, value: { stringValue, intValue, boolValue, doubleValue } }) => [
      key,
      stringValue ?? (intValue === undefined ? undefined : Number(intValue)) ?? boolValue ?? doubleValue ?? "",
    ]),
  );
}
