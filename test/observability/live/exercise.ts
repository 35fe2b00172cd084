/**
 * Alerts that call somebody, each fired by its real fault: against the real service, Prometheus, and Alertmanager, with
 * durations of seconds. Each reaches a webhook with its page of the runbook, and is resolved when its fault is over.
 * Nobody is called for anything else.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parse, stringify } from "yaml";
import { renderAlerts, renderObjectives } from "../../../observability/src/files.ts";
import type { Time } from "../../../observability/src/rule.ts";
import { eventually } from "../../support/eventually.ts";
import { startAlertmanager } from "../../support/monitoring/alertmanager.ts";
import { startPrometheus } from "../../support/monitoring/prometheus.ts";
import { createTestDatabase } from "../../support/postgres.ts";
import { createTemporaryFolder } from "../../support/temporary-folder.ts";
import { startReceiver } from "../../support/webhook-receiver.ts";
import { BEDS, type Bed } from "./faults/beds.ts";
import type { Fault, Monitoring, PreparedFault, ToldAlert } from "./faults/fault.ts";

const PATIENCE = { timeoutMs: 150_000, intervalMs: 200 };

/** What a machine that does other things may add. */
const ON_BUSY_MACHINES = ["APILatencyBudgetBurnFast"];

/** The receivers of the example. */
type ReceiverName = Parameters<Monitoring["told"]>[0];

/** Defines the test of a bed in the file that bears its name. */
export async function exercise(name: keyof typeof BEDS): Promise<void> {
  const { faults, time }: Bed = BEDS[name];
  const databases = await Promise.all(faults.map(() => createTestDatabase()));
  const title = faults.map((fault) => `${alertsOf(fault).join(", ")}: ${fault.what}`).join(" · ");
  test(title, async () => {
    const prepared = await Promise.all(
      databases.map(async (database, index) => (faults[index] as Fault).prepare(database)),
    );
    const monitoring = await monitor(prepared, time);
    await Promise.all(prepared.map((one, index) => happen(faults[index] as Fault, one, monitoring)));
    const called = monitoring.told("pager").filter(({ status }) => status === "firing");
    const expected = [...faults.flatMap(alertsOf), ...ON_BUSY_MACHINES];
    const names = new Set(called.map(({ labels }) => labels["alertname"] ?? ""));
    expect([...names].filter((one) => !expected.includes(one))).toEqual([]);
  }, 400_000);
}

const alertsOf = ({ alerts, afterwards = [] }: Fault): readonly string[] => [...alerts, ...afterwards];

/** The fault begins, its alerts arrive; it ends, and so do they. */
async function happen(plan: Fault, fault: PreparedFault, monitoring: Monitoring): Promise<void> {
  const arrive = async (alerts: readonly string[]): Promise<void> => {
    for (const alert of alerts) {
      const { runbook_url: page, impact } = await arrival(monitoring, alert, "firing");
      expect(page).toMatch(new RegExp(`runbook\\.md#${alert.toLowerCase()}$`));
      expect(impact).not.toBe("");
    }
  };
  await fault.begin();
  await arrive(plan.alerts);
  await fault.look?.(monitoring);
  await fault.end();
  await arrive(plan.afterwards ?? []);
  for (const alert of alertsOf(plan)) await arrival(monitoring, alert, "resolved");
}

/** Waits until an alert has arrived at the pager in a status; returns its annotations. */
function arrival({ told }: Monitoring, alert: string, status: ToldAlert["status"]): Promise<ToldAlert["annotations"]> {
  return eventually(() => {
    const alerts = told("pager");
    const found = alerts.findLast((one) => one.labels["alertname"] === alert && one.status === status);
    if (found !== undefined) return found.annotations;
    const others = alerts.map((one) => `${one.labels["alertname"]} ${one.status}`);
    throw new Error(`${alert} is not ${status}; the pager was told: ${others.join(", ")}`);
  }, PATIENCE);
}

/** Starts the monitoring with the rules and routes of the folder, and waits until it reads all and can tell. */
async function monitor(faults: readonly PreparedFault[], time: Time): Promise<Monitoring> {
  const rulesDir = createTemporaryFolder();
  writeFileSync(join(rulesDir, "alerts.yml"), renderAlerts(time));
  writeFileSync(join(rulesDir, "slo.yml"), renderObjectives(time));
  const receivers = {
    pager: await startReceiver(),
    tickets: await startReceiver(),
    "dead-mans-switch": await startReceiver(),
  } as const satisfies Record<ReceiverName, object>;
  const configFile = join(createTemporaryFolder(), "alertmanager.yml");
  writeFileSync(
    configFile,
    routesTo((name) => receivers[name].url),
  );
  const alertmanager = await startAlertmanager({ configFile });
  const ports = faults.flatMap(({ metricsPorts }) => metricsPorts);
  const prometheus = await startPrometheus({
    ...{ rulesDir, interval: "2s", resendDelay: "10s" },
    scrape: ports.map((port) => `127.0.0.1:${port}`),
    alertmanagers: [alertmanager.address],
    externalLabels: { environment: "test" },
  });
  await eventually(async () => {
    const up = await prometheus.query('up{job="orchestrator"} == 1');
    if (up.length < ports.length) throw new Error(`not all are read: ${JSON.stringify(await prometheus.targets())}`);
    expect(await prometheus.alertmanagers()).toEqual([alertmanager.address]);
    // OrchestratorDown may fire at the start of Prometheus, before the first reading.
    const alerts = (await alertmanager.alerts()).map(({ labels }) => labels["alertname"]);
    expect(alerts).toEqual(["DeadMansSwitch"]);
  }, PATIENCE);
  const before = receivers.pager.taken().length;
  const told: Monitoring["told"] = (name) =>
    (receivers[name].taken() as readonly { readonly alerts: readonly ToldAlert[] }[])
      .slice(name === "pager" ? before : 0)
      .flatMap(({ alerts }) => alerts);
  return { alertmanager, told };
}

/** The routes of the example, with receivers of the test, and without its pauses. */
function routesTo(urlOf: (receiver: ReceiverName) => string): string {
  const routes = parse(readFileSync("observability/alertmanager/alertmanager.example.yml", "utf8")) as {
    readonly route: Route;
    readonly receivers: readonly { readonly name: string; webhook_configs?: object[] }[];
  };
  const hurry = (route: Route): void => {
    Object.assign(route, { group_wait: "0s", group_interval: "1s" });
    for (const child of route.routes ?? []) hurry(child);
  };
  hurry(routes.route);
  for (const receiver of routes.receivers)
    if (receiver.webhook_configs !== undefined)
      receiver.webhook_configs = [{ url: urlOf(receiver.name as ReceiverName), send_resolved: true }];
  return stringify(routes);
}

interface Route {
  readonly routes?: readonly Route[];
}
