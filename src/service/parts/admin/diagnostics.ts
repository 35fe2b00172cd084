/** What an instance tells support, as texts without secrets. */
import { cpus, freemem, loadavg, totalmem } from "node:os";
import type { HealthState } from "../../../api/health.ts";
import type { Secrets } from "../../../base/secrets/secrets.ts";
import { readVersion } from "../../../base/version.ts";
import type { LoadedConfig } from "../../../config/config.ts";
import { printConfig } from "../../../config/print.ts";
import type { Diagnostics, DiagnosticText } from "../../../engine/ports/admin/diagnostics.ts";
import type { LogControl } from "../../../engine/ports/admin/log-control.ts";
import { readDatabaseFacts } from "../../../store/admin/database-facts.ts";
import type { Metrics } from "../../../telemetry/metrics/metrics.ts";
import type { Core } from "../../compose.ts";
import type { Connections } from "../parts.ts";

export interface DiagnosticSources {
  readonly loaded: LoadedConfig;
  readonly instanceId: string;
  readonly core: Pick<Core, "database" | "shards" | "cluster" | "secrets">;
  readonly health: HealthState;
  /** What the parts are connected to, and the database. */
  readonly connections: () => Connections;
  /** Null: metrics are off. */
  readonly metrics: Metrics | null;
  readonly levels: LogControl;
  /** The last warnings and errors. */
  readonly recent: { text(): string };
}

/** Passwords in URLs: those of settings that carry a whole URL. */
const PASSWORD = /(:\/\/[^\s:/@"']*):[^\s/@"']+@/g;

/** Takes out what is secret wherever it stands: values that were read from secrets, and passwords in URLs. */
function hideSecrets(text: string, secrets: Pick<Secrets, "redact">): string {
  return secrets.redact(text).replaceAll(PASSWORD, "$1:[redacted]@");
}

export function createDiagnostics(sources: DiagnosticSources): Diagnostics {
  const { loaded, instanceId, core, health, connections, metrics, levels, recent } = sources;
  const collect = async (
    wanted: readonly (readonly [name: string, read: () => Promise<string> | string])[],
  ): Promise<readonly DiagnosticText[]> => {
    const texts: DiagnosticText[] = [];
    for (const [name, read] of wanted) {
      // One that fails is no reason to have none of the others.
      const content = await Promise.resolve()
        .then(read)
        .catch((error: unknown) => `cannot be read: ${error instanceof Error ? error.message : String(error)}\n`);
      texts.push({ name, content: hideSecrets(content, core.secrets) });
    }
    return texts;
  };
  return {
    instanceId,
    ofInstance: () =>
      collect([
        ["configuration.yaml", () => printConfig(loaded)],
        ["process.json", () => print(describeProcess(instanceId))],
        [
          "health.json",
          () =>
            print({
              status: health.check(""),
              missing: health.missing(),
              connections: Object.fromEntries([...connections()].map(([name, read]) => [name, read()])),
            }),
        ],
        ["cluster.json", () => print({ ownedShards: core.shards.owned, others: core.cluster.view().others })],
        ["log-levels.json", () => print({ configured: levels.configured, overrides: levels.overrides() })],
        ["metrics.txt", () => (metrics === null ? "metrics are off\n" : metrics.render())],
        ["warnings.jsonl", () => recent.text()],
      ]),
    ofDatabase: async () => {
      const facts = await readDatabaseFacts(core.database);
      return collect([...facts].map(([name, rows]) => [`database/${name}.json`, () => print(rows)]));
    },
  };
}

function describeProcess(instanceId: string): object {
  const { pid, platform, arch, versions, uptime, memoryUsage, resourceUsage } = process;
  return {
    ...{ version: readVersion(), instanceId, pid, platform, arch, node: versions.node, v8: versions.v8 },
    ...{ now: new Date().toISOString(), uptimeSeconds: Math.round(uptime()), memory: memoryUsage() },
    usage: resourceUsage(),
    machine: { cpus: cpus().length, load: loadavg(), totalMemory: totalmem(), freeMemory: freemem() },
  };
}

function print(value: unknown): string {
  return `${JSON.stringify(value, (_, one: unknown) => (typeof one === "bigint" ? String(one) : one), 2)}\n`;
}
