import { createBusCommands } from "../../api/bus-commands.ts";
import type { Config } from "../../config/settings.ts";
import type { BusCommands } from "../../engine/ports/bus/commands.ts";
import type { RunningEngine } from "./engine.ts";

/** What messages ask for, done here or at another instance. */
export function createCommands(
  { limits }: Config,
  instanceId: string,
  { runControl, handOvers, cluster, peers }: Pick<RunningEngine, "runControl" | "handOvers" | "cluster" | "peers">,
): BusCommands {
  const { maxMessageBytes } = limits;
  return createBusCommands({ instanceId, runControl, handOvers, cluster, sender: peers.sender, maxMessageBytes });
}
