/** `orchestrator upgrade`: releases on the database, and the end of an upgrade. */
import type { Command } from "commander";
import {
  type Upgrade,
  UpgradeSchema,
  UpgradeService,
  UpgradeState,
  UpgradeStateSchema,
} from "../../../gen/orchestrator/v1/upgrade_service_pb.ts";
import type { CommandContext } from "../../command-context.ts";
import {
  addConnectOptions,
  addOutputOption,
  type ConnectOptions,
  type OutputOptions,
  withClient,
} from "../../connection/connect.ts";
import { joinShown, type Shown, show, toStdout } from "../../terminal/output.ts";
import { nameOf, printJson, toPrintable } from "../../terminal/print.ts";
import { formatTable } from "../../terminal/table.ts";

type Options = ConnectOptions & OutputOptions;

/** What to do in a state. */
const NEXT: Readonly<Record<UpgradeState, string>> = {
  [UpgradeState.UNSPECIFIED]: "",
  [UpgradeState.FINALIZED]: "nothing to do",
  [UpgradeState.INCOMPLETE]: "replace the instances that read less than the newest",
  [UpgradeState.READY]: "finalize when you do not want to go back to the release before",
};

export function defineUpgrade(command: Command, _context: CommandContext): void {
  const { method } = UpgradeService;
  const leaf = (name: string, summary: string): Command =>
    addOutputOption(addConnectOptions(command.command(name).description(summary)));
  const print = (upgrade: Upgrade | undefined, { output }: OutputOptions): void => {
    if (upgrade === undefined) return;
    if (output === "json") printJson(toPrintable(UpgradeSchema, upgrade));
    else toStdout`${format(upgrade)}`;
  };
  leaf("status", "show the releases on the database and what they may write").action((options: Options) =>
    withClient(options, async (client) => print((await client.call(method.getUpgrade, {})).upgrade, options)),
  );
  leaf("finalize", "allow what is new in this release; the release before does not start any more").action(
    (options: Options) =>
      withClient(options, async (client) => print((await client.call(method.finalizeUpgrade, {})).upgrade, options)),
  );
}

function format(upgrade: Upgrade): Shown {
  const facts = [
    ["state", `${nameOf(UpgradeStateSchema, upgrade.state)}: ${NEXT[upgrade.state]}`],
    ["schema", `${upgrade.schemaVersion}, for releases that know ${upgrade.minReader} or more`],
    ["journal", `${upgrade.journalVersion}, newest ${upgrade.newestJournalVersion}`],
  ];
  const rows = upgrade.instances.map(({ instanceId, address, release, readsJournalVersion }) => [
    instanceId,
    address,
    release,
    String(readsJournalVersion),
  ]);
  const head = joinShown(facts.map(([label = "", value = ""]) => show`${label.padEnd(9)}${value}\n`));
  return show`${head}\n${formatTable(["INSTANCE", "ADDRESS", "RELEASE", "READS"], rows)}`;
}
