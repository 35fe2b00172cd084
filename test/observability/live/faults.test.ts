/**
 * Alerts that call somebody, each fired by its real fault: against the real service, Prometheus, and Alertmanager, with
 * durations of seconds. The alert reaches a webhook with its page of the runbook, and is resolved when the fault
 * is over.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parse, stringify } from "yaml";
import { renderAlerts, renderObjectives } from "../../../observability/src/files.ts";
import { shortTime } from "../../../observability/src/rule.ts";
import { openLossyProxy } from "../../integration/store/lossy-proxy.ts";
import { eventually } from "../../support/eventually.ts";
import { findFreePort } from "../../support/free-port.ts";
import { startAlertmanager } from "../../support/monitoring/alertmanager.ts";
import { startPrometheus } from "../../support/monitoring/prometheus.ts";
import { createTestDatabase } from "../../support/postgres.ts";
import { type ServeProcess, startServeForTest } from "../../support/serve-process.ts";
import { createTemporaryFolder } from "../../support/temporary-folder.ts";
import { type Receiver, startReceiver } from "../../support/webhook-receiver.ts";

const { database, target, url } = await createTestDatabase();

/** Leases are renewed every few seconds, so no limit may be shorter. */
const TIME = shortTime(30, 3, 15);
const PATIENCE = { timeoutMs: 150_000, intervalMs: 200 };

/** A notification of Alertmanager. */
interface Notification {
  readonly alerts: readonly {
    readonly status: "firing" | "resolved";
    readonly labels: Readonly<Record<string, string>>;
    readonly annotations: Readonly<Record<string, string>>;
  }[];
}

interface Bed {
  /** Waits until an alert has arrived at the receiver of pages in a status; returns its annotations. */
  arrives(alertname: string, status: "firing" | "resolved"): Promise<Readonly<Record<string, string>>>;
  readonly pager: Receiver;
}

/** Starts the monitoring with the rules and routes of the folder. */
async function monitor(...services: readonly { readonly metricsPort: number }[]): Promise<Bed> {
  const rulesDir = createTemporaryFolder();
  writeFileSync(join(rulesDir, "alerts.yml"), renderAlerts(TIME));
  writeFileSync(join(rulesDir, "slo.yml"), renderObjectives(TIME));
  const pager = await startReceiver();
  const nobody = await startReceiver();
  const configFile = join(createTemporaryFolder(), "alertmanager.yml");
  writeFileSync(configFile, routesTo(pager.url, nobody.url));
  const alertmanager = await startAlertmanager({ configFile });
  await startPrometheus({
    rulesDir,
    scrape: services.map(({ metricsPort }) => `127.0.0.1:${metricsPort}`),
    alertmanagers: [alertmanager.address],
    externalLabels: { environment: "test" },
  });
  const arrives: Bed["arrives"] = (alertname, status) =>
    eventually(() => {
      const alerts = (pager.taken() as readonly Notification[]).flatMap((one) => one.alerts);
      const found = alerts.findLast((alert) => alert.labels["alertname"] === alertname && alert.status === status);
      if (found === undefined)
        throw new Error(
          `${alertname} is not ${status}: ${JSON.stringify(alerts.map(({ labels, status }) => [labels["alertname"], status]))}`,
        );
      return found.annotations;
    }, PATIENCE);
  return { arrives, pager };
}

/** The routes of the example, with receivers of the test, and without its pauses. */
function routesTo(pager: string, others: string): string {
  const routes = parse(readExample()) as { route: Route; receivers: { name: string; webhook_configs?: object[] }[] };
  const hurry = (route: Route): void => {
    Object.assign(route, { group_wait: "0s", group_interval: "1s" });
    for (const child of route.routes ?? []) hurry(child);
  };
  hurry(routes.route);
  for (const receiver of routes.receivers)
    if (receiver.webhook_configs !== undefined)
      receiver.webhook_configs = [{ url: receiver.name === "pager" ? pager : others, send_resolved: true }];
  return stringify(routes);
}

interface Route {
  readonly routes?: readonly Route[];
}

function readExample(): string {
  return readFileSync("observability/alertmanager/alertmanager.example.yml", "utf8");
}

function post({ address }: ServeProcess, path: string, body: object): Promise<Response> {
  const headers = { "content-type": "application/json" };
  return fetch(`http://${address}${path}`, { method: "POST", headers, body: JSON.stringify(body) });
}

test("OrchestratorDown: the only instance is killed, and started again", async () => {
  const folder = createTemporaryFolder();
  const metricsPort = await findFreePort();
  const env = { DATABASE_URL: url, ORCHESTRATOR_METRICS_PORT: String(metricsPort) };
  const service = await startServeForTest({ folder, env });
  const { arrives } = await monitor({ metricsPort });
  await service.stop("SIGKILL");
  const { runbook_url: page, impact } = await arrives("OrchestratorDown", "firing");
  expect(page).toMatch(/runbook\.md#orchestratordown$/);
  expect(impact).not.toBe("");
  await startServeForTest({ folder, env });
  await arrives("OrchestratorDown", "resolved");
}, 400_000);

test("DatabaseUnreachable: PostgreSQL is away; what follows from it calls nobody, and ends with it", async () => {
  const socket = createTemporaryFolder();
  const proxy = await openLossyProxy(socket, target);
  const service = await startServeForTest({
    folder: createTemporaryFolder(),
    env: { DATABASE_URL: url.replace(/host=.*/, `host=${encodeURIComponent(socket)}`) },
  });
  const { arrives, pager } = await monitor(service);
  proxy.down = true;
  await arrives("DatabaseUnreachable", "firing");
  proxy.down = false;
  await arrives("DatabaseUnreachable", "resolved");
  const named = (pager.taken() as readonly Notification[]).flatMap(({ alerts }) =>
    alerts.map(({ labels }) => labels["alertname"]),
  );
  expect(new Set(named)).toEqual(new Set(["DatabaseUnreachable"]));
  await proxy.close();
}, 400_000);

test("RunsOverdue: somebody holds a lock on the row of a run", async () => {
  const service = await startServeForTest({ folder: createTemporaryFolder(), env: { DATABASE_URL: url } });
  const { arrives } = await monitor(service);
  const workflow = { tasks: [{ id: "w", type: "wait", parameters: { duration: "20s" } }] };
  expect((await post(service, "/v1/flows", { source: JSON.stringify({ id: "waits", workflow }) })).status).toBe(200);
  const { run } = (await (await post(service, "/v1/runs", { flow_id: "waits" })).json()) as { run: { runId: string } };
  const session = await database.openSession("holds a lock", { statementMs: 0, idleInTransactionMs: 0 });
  await session.query("BEGIN");
  const { rows } = await session.query("SELECT state FROM orchestrator.runs WHERE run_id = $1 FOR UPDATE", [run.runId]);
  expect(rows).toEqual([{ state: "WAITING" }]);
  await arrives("RunsOverdue", "firing");
  await session.query("ROLLBACK");
  await session.close();
  await arrives("RunsOverdue", "resolved");
}, 400_000);
