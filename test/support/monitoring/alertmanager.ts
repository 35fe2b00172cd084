/** A real Alertmanager; `scripts/ci-services.sh` installs it. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { findMonitoringProgram, type MonitoringServer, startMonitoringServer } from "./server.ts";

const PROGRAM = findMonitoringProgram("prometheus-alertmanager", "alertmanager");

/** Whether Alertmanager and amtool are on the machine. */
export const hasAlertmanager = PROGRAM !== undefined && findMonitoringProgram("amtool") !== undefined;

/** A running Alertmanager. */
export interface Alertmanager extends MonitoringServer {
  /** `host:port`, as configurations of Prometheus name it. */
  readonly address: string;
  /** The configuration that runs, with its secrets hidden. */
  configuration(): Promise<string>;
  /** The alerts that it knows, by their labels. */
  alerts(): Promise<readonly { labels: Record<string, string>; status: { state: string } }[]>;
}

/** Starts an Alertmanager for the current test. It reads the file again on reload; without a file nobody is told. */
export async function startAlertmanager({ configFile }: { configFile?: string } = {}): Promise<Alertmanager> {
  const server = await startMonitoringServer({
    program: PROGRAM ?? "alertmanager",
    prepare(folder, port) {
      const own = join(folder, "alertmanager.yml");
      if (configFile === undefined) writeFileSync(own, "route: { receiver: nobody }\nreceivers: [{ name: nobody }]\n");
      return [
        `--config.file=${configFile ?? own}`,
        `--storage.path=${join(folder, "data")}`,
        `--web.listen-address=127.0.0.1:${port}`,
        "--cluster.listen-address=",
      ];
    },
  });
  const read = async <T>(path: string): Promise<T> => (await (await fetch(`${server.url}${path}`)).json()) as T;
  return {
    ...server,
    address: `127.0.0.1:${server.port}`,
    configuration: async () => (await read<{ config: { original: string } }>("/api/v2/status")).config.original,
    alerts: () => read("/api/v2/alerts"),
  };
}
