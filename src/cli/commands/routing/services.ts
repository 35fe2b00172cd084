/** `orchestrator services`: what can be called by name. */
import type { Command } from "commander";
import {
  type NamedService,
  NamedServiceSchema,
  NamedServiceSourceSchema,
  type ServiceRegistry,
  ServiceRegistrySchema,
  ServiceRegistryStateSchema,
  ToolService,
} from "../../../gen/orchestrator/v1/tool_service_pb.ts";
import type { CommandContext } from "../../command-context.ts";
import {
  addConnectOptions,
  addOutputOption,
  type ConnectOptions,
  type OutputOptions,
  withClient,
} from "../../connection/connect.ts";
import { readPages } from "../../input/read-pages.ts";
import { type Shown, show, toStdout } from "../../terminal/output.ts";
import { formatTime, nameOf, printJson, toPrintable } from "../../terminal/print.ts";
import { formatTable } from "../../terminal/table.ts";

type Options = ConnectOptions & OutputOptions;

export function defineServices(command: Command, _context: CommandContext): void {
  const list = command.command("list").description("list the services that can be called by name, and their registry");
  addOutputOption(addConnectOptions(list)).action((options: Options) =>
    withClient(options, async (client) => {
      let registry: ServiceRegistry | undefined;
      const services = await readPages(Number.POSITIVE_INFINITY, async (pageToken, pageSize) => {
        const page = await client.call(ToolService.method.listServices, { pageToken, pageSize });
        ({ registry } = page);
        return { lines: page.services, next: page.nextPageToken };
      });
      if (options.output === "json")
        return printJson({
          services: services.map((service) => toPrintable(NamedServiceSchema, service)),
          registry: registry === undefined ? null : toPrintable(ServiceRegistrySchema, registry),
        });
      toStdout`${formatServices(services)}`;
      if (registry !== undefined) toStdout`${formatRegistry(registry)}`;
    }),
  );
}

function formatServices(services: readonly NamedService[]): Shown {
  const rows = services.map(({ name, url, source, reachable, lastCallTime }) => [
    ...[name, url, nameOf(NamedServiceSourceSchema, source), reachable ? "yes" : "no"],
    formatTime(lastCallTime),
  ]);
  return formatTable(["SERVICE", "URL", "SOURCE", "REACHABLE", "LAST CALL"], rows);
}

function formatRegistry({ url, state, syncTime, problem }: ServiceRegistry): Shown {
  const name = nameOf(ServiceRegistryStateSchema, state);
  const read = syncTime === undefined ? show`` : show`, read at ${formatTime(syncTime)}`;
  return show`registry ${url}: ${name}${read}${problem === "" ? "" : `; ${problem}`}\n`;
}
