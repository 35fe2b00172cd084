/** UpgradeService: releases on the database, and what they may write. */
import { create } from "@bufbuild/protobuf";
import type { Upgrades, UpgradeView } from "../../engine/ports/instances/upgrades.ts";
import {
  FinalizeUpgradeResponseSchema,
  GetUpgradeResponseSchema,
  InstanceReleaseSchema,
  type Upgrade,
  UpgradeSchema,
  UpgradeService,
  UpgradeState,
} from "../../gen/orchestrator/v1/upgrade_service_pb.ts";
import type { ServiceHandlers } from "../calls/call.ts";
import { defineService } from "../calls/services.ts";

interface Needs {
  readonly upgrades: Upgrades;
}

function createHandlers({ upgrades }: Needs): ServiceHandlers<typeof UpgradeService> {
  return {
    async getUpgrade() {
      return create(GetUpgradeResponseSchema, { upgrade: toUpgrade(await upgrades.view()) });
    },

    async finalizeUpgrade(_, { caller }) {
      return create(FinalizeUpgradeResponseSchema, { upgrade: toUpgrade(await upgrades.finalize(caller.actor)) });
    },
  };
}

export const upgradeService = defineService(UpgradeService, createHandlers);

function toUpgrade(view: UpgradeView): Upgrade {
  return create(UpgradeSchema, {
    state: stateOf(view),
    schemaVersion: view.schema,
    minReader: view.minReader,
    journalVersion: view.journal,
    newestJournalVersion: view.newest,
    instances: view.instances.map(({ instanceId, address, release, reads }) =>
      create(InstanceReleaseSchema, { instanceId, address, release, readsJournalVersion: reads }),
    ),
  });
}

function stateOf({ journal, newest, instances }: UpgradeView): UpgradeState {
  if (instances.some(({ reads }) => reads < newest)) return UpgradeState.INCOMPLETE;
  return journal < newest ? UpgradeState.READY : UpgradeState.FINALIZED;
}
