/** `orchestrator health`: checks whether a service accepts calls. */
import type { Command } from "commander";
import { HealthService, ServingStatus, ServingStatusSchema } from "../../gen/orchestrator/health/v1/health_pb.ts";
import { GetInfoResponseSchema, InfoService, StoreKindSchema } from "../../gen/orchestrator/info/v1/info_pb.ts";
import type { CommandContext } from "../command-context.ts";
import {
  addConnectOptions,
  addOutputOption,
  type ConnectOptions,
  type OutputOptions,
  withClient,
} from "../connection/connect.ts";
import { EXIT } from "../exit-codes.ts";
import { toStdout } from "../terminal/output.ts";
import { paint } from "../terminal/paint.ts";
import { nameOf, printJson, toPrintable } from "../terminal/print.ts";

export function defineHealth(command: Command, context: CommandContext): void {
  command
    .argument("[service]", "service to check: the full name of a Protobuf service", "")
    .action((service: string, options: ConnectOptions & OutputOptions) =>
      withClient(options, async (client, address) => {
        const { status } = await client.call(HealthService.method.check, { service }, { timeoutMs: 5_000 });
        const info = await client.call(InfoService.method.getInfo, {}, { timeoutMs: 5_000 });
        const isServing = status === ServingStatus.SERVING;
        const state = nameOf(ServingStatusSchema, status);
        if (options.output === "json")
          printJson({ address, status: state, info: toPrintable(GetInfoResponseSchema, info) });
        else {
          const build = [
            info.service,
            info.version,
            info.build?.runtime ?? "",
            `${nameOf(StoreKindSchema, info.build?.storeKind ?? 0).toLowerCase()} store`,
          ].join(", ");
          toStdout`${paint(isServing ? "green" : "red", state)}  ${address}  ${build}\n`;
        }
        context.exitWith(isServing ? EXIT.OK : EXIT.RUN_FAILED);
      }),
    );
  addOutputOption(addConnectOptions(command));
}
