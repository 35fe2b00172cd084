import { expect, onTestFinished, test } from "vitest";
import { silentLog } from "../../../../src/base/log.ts";
import { loadConfig, openSecrets } from "../../../../src/config/config.ts";
import type { PutServiceStore } from "../../../../src/engine/ports/routing/services.ts";
import { createParts } from "../../../../src/service/parts/parts.ts";
import { openServices } from "../../../../src/service/parts/routing/services.ts";
import { createTemporaryFolder } from "../../../support/temporary-folder.ts";

test("a registry at its usual place is read for routed tasks only", async () => {
  // Cause: a name that was not there, in whatever flow, made the service call localhost from then on.
  const env = { REGISTRY_CACHE_DIR: createTemporaryFolder(), REGISTRY_TIMEOUT: "1" };
  const { config } = await loadConfig({ env });
  const parts = createParts(silentLog);
  onTestFinished(() => parts.close());
  const store = noServices();
  const { directory, catalogue } = await openServices(
    config,
    { store, secrets: openSecrets(config) },
    silentLog,
    parts,
  );
  const syncs = () => Object.values(catalogue.registry()?.syncs ?? {}).reduce((sum, count) => sum + count, 0);
  await directory.settle?.("invoice-approval");
  expect(syncs()).toBe(0);
  await directory.settle?.("orchestrator-route");
  expect(syncs()).toBe(1);
});

/** A store without services. */
function noServices(): PutServiceStore {
  return {
    list: async () => [],
    put: () => Promise.reject(new Error("nothing is put here")),
    delete: async () => false,
    listen: () => async () => {},
  };
}
