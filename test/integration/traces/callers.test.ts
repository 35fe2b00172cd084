/** The trace of a caller reaches the run that it starts, over every protocol, and through another instance. */
import { createClient, type Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { expect, test } from "vitest";
import { FlowService } from "../../../src/gen/orchestrator/v1/flow_service_pb.ts";
import { RunService } from "../../../src/gen/orchestrator/v1/run_service_pb.ts";
import { eventually } from "../../support/eventually.ts";
import { createTestDatabase } from "../../support/postgres.ts";
import { startServeForTest } from "../../support/serve-process.ts";
import { createTemporaryFolder } from "../../support/temporary-folder.ts";
import { openTraceReceiver } from "../../support/traces/trace-receiver.ts";

const { url } = await createTestDatabase();

const FLOW = "id: short\nworkflow:\n  tasks:\n    - {id: a, type: noop}\n";

test("runs link to their callers over gRPC, gRPC-Web, Connect, and REST, whichever instance owns them", async () => {
  const collector = await openTraceReceiver();
  const serve = () =>
    startServeForTest({
      folder: createTemporaryFolder(),
      env: { DATABASE_URL: url, OTEL_EXPORTER_OTLP_ENDPOINT: collector.httpUrl, OTEL_BSP_SCHEDULE_DELAY: "50" },
    });
  const [first, second] = [await serve(), await serve()];
  const baseUrl = `http://${first.address}`;
  const options = { baseUrl, httpVersion: "1.1" } as const;
  const transports: Readonly<Record<string, Transport>> = {
    grpc: createGrpcTransport({ baseUrl }),
    web: createGrpcWebTransport(options),
    connect: createConnectTransport(options),
  };
  const [anyTransport] = Object.values(transports);
  if (anyTransport === undefined) throw new Error("unreachable");
  await createClient(FlowService, anyTransport).registerFlow({ definition: { case: "source", value: FLOW } });
  // Both instances own shards now, and the ids that callers choose fall to both.
  await eventually(async () => {
    for (const { metricsPort } of [first, second]) {
      const text = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
      expect(Number(/^orchestrator_owned_shards (\d+)/m.exec(text)?.[1])).toBe(32);
    }
  });
  const parents = new Map<string, string>();
  for (const name of [...Object.keys(transports), "rest"])
    for (let n = 0; n < 8; n += 1) {
      const runId = `${name}-${n}`;
      const spanId = (parents.size + 1).toString(16).padStart(16, "0");
      parents.set(runId, spanId);
      const headers = { traceparent: `00-4bf92f3577b34da6a3ce929d0e0e4736-${spanId}-01` };
      const transport = transports[name];
      if (transport !== undefined)
        await createClient(RunService, transport).startRun({ flowId: "short", runId }, { headers });
      else {
        const body = JSON.stringify({ flow_id: "short", run_id: runId });
        const type = { "content-type": "application/json" };
        const { status } = await fetch(`${baseUrl}/v1/runs`, {
          method: "POST",
          headers: { ...headers, ...type },
          body,
        });
        expect(status).toBe(200);
      }
    }
  /** The span that stands at the begin of the way that leads to this one. */
  const originOf = (spanId = ""): string => {
    const span = collector.spans.find((one) => one.spanId === spanId);
    return span === undefined ? spanId : originOf(span.parentId);
  };
  await eventually(() => {
    const roots = collector.spans.filter(({ name }) => name === "run short");
    const linked = roots.map(({ attributes, links }) => [
      attributes["orchestrator.run.id"],
      originOf(links[0]?.spanId),
    ]);
    expect(new Map(linked as [string, string][])).toEqual(parents);
  });
  // Some of them were started by the other instance.
  const owners = new Set(
    collector.spans.filter(({ name }) => name === "run short").map(({ service }) => service["service.instance.id"]),
  );
  expect(owners.size).toBe(2);
});
