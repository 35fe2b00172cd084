/** `orchestrator support`: what is sent to those who are asked for help. */
import { writeFileSync } from "node:fs";
import { resolve } from "node:path";
import type { Command } from "commander";
import { isOrchestratorError } from "../../../base/errors.ts";
import { readVersion } from "../../../base/version.ts";
import { AdminService, type GetDiagnosticsResponse } from "../../../gen/orchestrator/v1/admin_service_pb.ts";
import type { CommandContext } from "../../command-context.ts";
import { addConnectOptions, type ConnectOptions, withClient } from "../../connection/connect.ts";
import { toStderr, toStdout } from "../../terminal/output.ts";
import { packTexts } from "./tar.ts";

interface BundleOptions extends ConnectOptions {
  readonly out?: string;
}

/** The database may be slow when somebody asks for help, milliseconds. */
const PATIENCE_MS = 30_000;

const { getDiagnostics } = AdminService.method;

export function defineSupport(command: Command, _context: CommandContext): void {
  addConnectOptions(
    command
      .command("bundle")
      .description("write configuration, metrics, recent warnings, and more of all instances into a file for support")
      .option("-o, --out <file>", "where to (default: orchestrator-support-TIME.tar.gz)")
      .addHelpText("after", "\nIt has no payloads and no secrets; read it before you send it."),
  ).action((options: BundleOptions) =>
    withClient(options, async (client, address) => {
      const texts = new Map<string, string>();
      const keep = ({ instanceId, files }: GetDiagnosticsResponse): void => {
        for (const { name, content } of files)
          texts.set(name.startsWith("database/") ? name : `instances/${toFileName(instanceId)}/${name}`, content);
      };
      const ask = (instanceId: string) => client.call(getDiagnostics, { instanceId }, { timeoutMs: PATIENCE_MS });
      const first = await ask("");
      keep(first);
      const silent: string[] = [];
      for (const id of first.knownInstanceIds) {
        if (id === first.instanceId) continue;
        try {
          keep(await ask(id));
        } catch (error) {
          // What the others tell is worth something without it.
          if (!isOrchestratorError(error)) throw error;
          silent.push(`${id}: ${error.message}`);
        }
      }
      const now = new Date();
      const about = { writtenAt: now.toISOString(), by: `orchestrator ${readVersion()}`, address, silent };
      texts.set("about.json", `${JSON.stringify(about, null, 2)}\n`);
      const file = options.out ?? `orchestrator-support-${now.toISOString().replaceAll(/[:.]/g, "-")}.tar.gz`;
      writeFileSync(file, packTexts(texts, now.getTime()), { mode: 0o600 });
      for (const one of silent) toStderr`warning: the bundle has nothing of instance ${one}\n`;
      toStdout`${resolve(file)}\n`;
    }),
  );
}

/** Ids of instances may hold what paths may not. */
function toFileName(instanceId: string): string {
  return instanceId
    .replaceAll(/[^A-Za-z0-9._-]/g, "_")
    .replace(/^\.+/, "_")
    .slice(0, 60);
}
