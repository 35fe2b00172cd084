/** Upgrades to another release: shown, and finalized at the start if that is configured. */
import { isOrchestratorError } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import type { Config } from "../../config/settings.ts";
import type { Upgrades } from "../../engine/ports/instances/upgrades.ts";
import { createUpgrades } from "../../store/upgrades.ts";
import type { Store } from "./store.ts";

/** Call it when this instance is registered. Errors: those of the store. */
export async function openUpgrades(config: Config, { database, alone }: Store, log: Log): Promise<Upgrades> {
  const upgrades = createUpgrades(database, log);
  const { journal, newest } = await upgrades.view();
  if (journal === newest) return upgrades;
  const when = config.store.finalizeUpgrades ?? (alone ? "at_start" : "by_command");
  const finalized = when === "at_start" && (await finalize(upgrades));
  if (!finalized)
    log.info("the upgrade is not finalized, and the release before can be started again", { journal, newest });
  return upgrades;
}

/** Returns false while an older instance lives. */
async function finalize(upgrades: Upgrades): Promise<boolean> {
  try {
    await upgrades.finalize("orchestrator");
    return true;
  } catch (error) {
    if (isOrchestratorError(error) && error.code === "UPGRADE_INCOMPLETE") return false;
    throw error;
  }
}
