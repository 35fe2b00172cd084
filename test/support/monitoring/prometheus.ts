/** A real Prometheus; `scripts/ci-services.sh` installs it. */
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { stringify } from "yaml";
import { type MonitoringServer, startMonitoringServer } from "./server.ts";

/** Whether Prometheus and promtool are on the machine. */
export const hasPrometheus = ["prometheus", "promtool"].every(
  (program) => spawnSync(program, ["--version"], { stdio: "ignore" }).error === undefined,
);

/** What a Prometheus is started with. */
export interface PrometheusOptions {
  /** The folder whose `*.yml` are its rules. */
  readonly rulesDir?: string;
  /** What it scrapes, as in `scrape_configs`, or the addresses of one job. It always scrapes itself. */
  readonly scrape?: readonly object[] | readonly string[];
  /** Addresses of Alertmanagers, as `host:port`. */
  readonly alertmanagers?: readonly string[];
  readonly externalLabels?: Readonly<Record<string, string>>;
  /** Interval of scrapes and of rules; default one second. */
  readonly interval?: string;
  /** After which time alerts are told once more; default a minute. */
  readonly resendDelay?: string;
  /** Whether `POST /-/reload` is answered; default true. */
  readonly canReload?: boolean;
  /** Features that are off by default, such as `exemplar-storage`. */
  readonly features?: readonly string[];
}

/** A running Prometheus. */
export interface Prometheus extends MonitoringServer {
  /** The result of an instant query; throws if it is refused. */
  query(expression: string): Promise<readonly { metric: Record<string, string>; value: [number, string] }[]>;
  /** The rules that run, as in its API, all groups in one list. */
  rules(): Promise<readonly Rule[]>;
  /** What it scrapes, and why it could not the last time; empty: it could. */
  targets(): Promise<readonly { readonly url: string; readonly problem: string }[]>;
  /** Addresses of the Alertmanagers that it has found; it takes seconds. */
  alertmanagers(): Promise<readonly string[]>;
}

/** A rule as Prometheus shows it. */
export interface Rule {
  readonly name: string;
  readonly query: string;
  readonly labels?: Readonly<Record<string, string>>;
  /** Of alerts. */
  readonly state?: "inactive" | "pending" | "firing";
}

/** Starts a Prometheus for the current test. */
export async function startPrometheus(options: PrometheusOptions = {}): Promise<Prometheus> {
  const { rulesDir, scrape = [], alertmanagers = [], externalLabels = {}, interval = "1s", canReload = true } = options;
  const { features = [] } = options;
  const { resendDelay = "1m" } = options;
  const server = await startMonitoringServer({
    program: "prometheus",
    prepare(folder, port) {
      const jobs = scrape.every((one) => typeof one === "string")
        ? [{ job_name: "orchestrator", static_configs: [{ targets: scrape }] }]
        : scrape;
      const configuration = {
        global: { scrape_interval: interval, evaluation_interval: interval, external_labels: externalLabels },
        rule_files: rulesDir === undefined ? [] : [join(rulesDir, "*.yml")],
        alerting: { alertmanagers: [{ static_configs: [{ targets: alertmanagers }] }] },
        scrape_configs: [
          { job_name: "prometheus", static_configs: [{ targets: [`127.0.0.1:${port}`] }] },
          ...(scrape.length === 0 ? [] : jobs),
        ],
      };
      writeFileSync(join(folder, "prometheus.yml"), stringify(configuration));
      return [
        `--config.file=${join(folder, "prometheus.yml")}`,
        `--storage.tsdb.path=${join(folder, "data")}`,
        `--web.listen-address=127.0.0.1:${port}`,
        `--rules.alert.resend-delay=${resendDelay}`,
        ...(canReload ? ["--web.enable-lifecycle"] : []),
        ...(features.length === 0 ? [] : [`--enable-feature=${features.join(",")}`]),
      ];
    },
  });
  const read = async <T>(path: string): Promise<T> => {
    const response = await fetch(`${server.url}${path}`);
    const body = (await response.json()) as { status: string; data: T; error?: string };
    if (body.status !== "success") throw new Error(`${path}: ${body.error}`);
    return body.data;
  };
  return {
    ...server,
    query: async (expression) =>
      (await read<{ result: [] }>(`/api/v1/query?query=${encodeURIComponent(expression)}`)).result,
    rules: async () =>
      (await read<{ groups: { rules: Rule[] }[] }>("/api/v1/rules")).groups.flatMap((group) => group.rules),
    targets: async () =>
      (await read<{ activeTargets: { scrapeUrl: string; lastError: string }[] }>("/api/v1/targets")).activeTargets.map(
        ({ scrapeUrl, lastError }) => ({ url: scrapeUrl, problem: lastError }),
      ),
    alertmanagers: async () =>
      (await read<{ activeAlertmanagers: { url: string }[] }>("/api/v1/alertmanagers")).activeAlertmanagers.map(
        ({ url }) => new URL(url).host,
      ),
  };
}
