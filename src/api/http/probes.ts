/** Paths of the process itself: the root, the probes, and the metrics. */
import type { FastifyInstance } from "fastify";
import type { HealthState } from "../health.ts";

/** Name and version of the service. */
export interface ServiceInfo {
  readonly service: string;
  readonly version: string;
}

/** The text of all metrics. */
export interface MetricsText {
  /** In the format that an `Accept` header asks for. */
  answer(accept: string | undefined): Promise<{ readonly contentType: string; readonly text: string }>;
}

export interface ProbeParts {
  readonly health: HealthState;
  readonly info: ServiceInfo;
  /** Null: metrics are not served on this port. */
  readonly metricsText: MetricsText | null;
}

/** HTTP methods of these paths. */
export const PROBE_METHODS = ["GET", "HEAD"];

const METRICS = "/metrics";
const HEAD_TOO = { exposeHeadRoute: true };
const JSON_TYPE = "application/json; charset=utf-8";

const LINKS = {
  info: "/v1/info",
  health: "/v1/health",
  flows: "/v1/flows",
  runs: "/v1/runs",
  goals: "/v1/goals",
  approvals: "/v1/approvals",
  templates: "/v1/templates",
  live: "/healthz",
  ready: "/readyz",
};

/** The paths that are served. */
export function probePaths({ metricsText }: Pick<ProbeParts, "metricsText">): ReadonlySet<string> {
  return new Set(["/", "/healthz", "/readyz", ...(metricsText === null ? [] : [METRICS])]);
}

/** Adds them. */
export function addProbes(app: FastifyInstance, { health, info, metricsText }: ProbeParts): void {
  const { service, version } = info;
  const links = metricsText === null ? LINKS : { ...LINKS, metrics: METRICS };
  const root = JSON.stringify({ service, version, status: "operational", links });
  app.get("/", HEAD_TOO, async (_request, reply) => reply.header("content-type", JSON_TYPE).send(root));
  app.get("/healthz", HEAD_TOO, async (_request, reply) =>
    reply.header("content-type", JSON_TYPE).send('{"status":"ok"}'),
  );
  app.get("/readyz", HEAD_TOO, async (_request, reply) => {
    await health.refresh();
    const ready = health.check("") === "SERVING";
    return reply
      .code(ready ? 200 : 503)
      .header("content-type", JSON_TYPE)
      .send(JSON.stringify({ status: ready ? "ready" : "not ready", missing: health.missing() }));
  });
  if (metricsText !== null)
    app.get(METRICS, HEAD_TOO, async (request, reply) => {
      const { contentType, text } = await metricsText.answer(request.headers.accept);
      return reply.header("content-type", contentType).send(text);
    });
}
