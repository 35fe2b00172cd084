/** `orchestrator flows delete`: deletes a version of a flow, or all versions that no run uses. */
import type { Command } from "commander";
import type { ApiClient } from "../../../api/client/client.ts";
import { type ErrorCode, fail, isOrchestratorError } from "../../../base/errors.ts";
import type { Flow } from "../../../gen/orchestrator/v1/flow_pb.ts";
import {
  type DeleteFlowVersionResponse,
  DeleteFlowVersionResponseSchema,
  FlowService,
} from "../../../gen/orchestrator/v1/flow_service_pb.ts";
import type { CommandContext } from "../../command-context.ts";
import { CompletedArgument } from "../../completion/completed.ts";
import {
  addConnectOptions,
  addOutputOption,
  type ConnectOptions,
  type OutputOptions,
  withClient,
} from "../../connection/connect.ts";
import { EXIT, exitCodeOf } from "../../exit-codes.ts";
import { readPages } from "../../input/read-pages.ts";
import { readFlowName } from "../../input/text-sources.ts";
import { toStderr, toStdout } from "../../terminal/output.ts";
import { printJson, toPrintable } from "../../terminal/print.ts";

/** Most versions that one command deletes. */
const MAX_VERSIONS = 10_000;

type Options = ConnectOptions & OutputOptions & { readonly yes?: true };

type Version = Pick<Flow, "flowId" | "version">;

/** A version that could not be deleted. */
interface Refused extends Version {
  readonly code: ErrorCode | "INTERNAL";
  readonly message: string;
  readonly exitCode: number;
}

export function defineDelete(command: Command, context: CommandContext): void {
  const summary = "delete one version of a flow, or all of its versions; a version that a run uses stays";
  addOutputOption(addConnectOptions(command.command("delete").description(summary)))
    .addArgument(new CompletedArgument("<flow>", "id@version, or id for all versions", "flow"))
    .option("-y, --yes", "delete; without it the versions are only listed")
    .action((argument: string, options: Options) =>
      withClient(options, async (client) => {
        const versions = await findVersions(client, argument);
        if (options.yes !== true) return preview(versions, options);
        context.exitWith(print(await deleteAll(client, versions), options));
      }),
    );
}

async function findVersions(client: ApiClient, argument: string): Promise<readonly Version[]> {
  const { flowId, version } = readFlowName(argument);
  const { method } = FlowService;
  if (argument.includes("@")) {
    if (version === "") fail("INVALID_REQUEST", { problem: "the version after @ is missing", field: "flow" });
    const { flow } = await client.call(method.getFlow, {
      flowId,
      version,
      readMask: { paths: ["flow_id", "version"] },
    });
    return [flow ?? { flowId, version }];
  }
  return readPages(MAX_VERSIONS, async (pageToken, pageSize) => {
    const page = await client.call(method.listFlowVersions, { flowId, pageToken, pageSize });
    return { lines: page.flows, next: page.nextPageToken };
  });
}

function preview(versions: readonly Version[], { output }: Options): void {
  if (output === "json") printJson({ versions: versions.map(({ flowId, version }) => ({ flowId, version })) });
  else for (const { flowId, version } of versions) toStdout`${flowId}@${version}\n`;
  toStderr`nothing is deleted yet: ${versions.length} version(s) found; add --yes to delete them\n`;
}

async function deleteAll(client: ApiClient, versions: readonly Version[]) {
  const deleted: DeleteFlowVersionResponse[] = [];
  const refused: Refused[] = [];
  for (const { flowId, version } of versions) {
    try {
      const request = { flowId, version, requestId: crypto.randomUUID() };
      deleted.push(await client.call(FlowService.method.deleteFlowVersion, request));
    } catch (error) {
      // A version in use does not prevent deletion of the others.
      const code = isOrchestratorError(error) ? error.code : "INTERNAL";
      const message = error instanceof Error ? error.message : String(error);
      refused.push({ flowId, version, code, message, exitCode: exitCodeOf(error) });
    }
  }
  return { deleted, refused };
}

/** Prints the result for each version. Returns the exit code: that of the first refusal, if any. */
function print({ deleted, refused }: Awaited<ReturnType<typeof deleteAll>>, { output }: OutputOptions): number {
  if (output === "json")
    printJson({
      deleted: deleted.map((one) => toPrintable(DeleteFlowVersionResponseSchema, one)),
      refused: refused.map(({ flowId, version, code, message }) => ({ flowId, version, code, message })),
    });
  else for (const { flowId, version } of deleted) toStdout`${flowId}@${version} is deleted\n`;
  for (const { message } of refused) toStderr`${message}\n`;
  return refused[0]?.exitCode ?? EXIT.OK;
}
