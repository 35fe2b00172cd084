import type { Upgrades, UpgradeView } from "../../../src/engine/ports/instances/upgrades.ts";

/** An upgrade of one instance that is to be finalized. */
export function createFakeUpgrades(): Upgrades {
  const instances = [{ instanceId: "a", address: "127.0.0.1:1", release: "0.2.0", reads: 5 }];
  let view: UpgradeView = { schema: 50, minReader: 49, journal: 4, newest: 5, instances };
  return {
    view: async () => view,
    finalize: async () => {
      view = { ...view, journal: view.newest };
      return view;
    },
  };
}
