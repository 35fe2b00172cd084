/** The service inside the command: engine and embedded store in this process, without a port. */
import { rm } from "node:fs/promises";
import { packagesOf, serveServices } from "../../api/calls/services.ts";
import type { ApiClient } from "../../api/client/client.ts";
import { createLocalClient } from "../../api/client/local-client.ts";
import { createHealth } from "../../api/health.ts";
import { createTokens } from "../../api/lists/tokens.ts";
import { SERVICES } from "../../api/services/index.ts";
import { HEARTBEAT_MS } from "../../api/streams/heartbeat.ts";
import { toError } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import { readVersion } from "../../base/version.ts";
import { loadConfig } from "../../config/config.ts";
import { composeCore } from "../../service/compose.ts";
import { FOREIGN_LOG } from "../../service/parts/admin/foreign-log.ts";
import { makeThrowAwayFolder } from "./throw-away-folder.ts";

export interface LocalServiceOptions {
  /** A folder to keep, which can already have runs; absent: a temporary one. */
  readonly dataDir?: string;
  /** Configuration flags by their camel case names. */
  readonly flags?: Readonly<Record<string, unknown>>;
  readonly log: Log;
  /** The name under which the client calls; empty if unknown. */
  readonly actor: string;
}

/**
 * Opens the service in this process with the configuration of `serve`, but always on the embedded store. Closing the
 * client stops it and removes a temporary store. Errors: CONFIG_INVALID and those of the store.
 */
export async function openLocalService({ dataDir, flags = {}, log, actor }: LocalServiceOptions): Promise<ApiClient> {
  const { config } = await loadConfig({ flags });
  const folder = dataDir ?? (await makeThrowAwayFolder());
  const remove = async (): Promise<void> => {
    if (dataDir === undefined) await rm(folder, { recursive: true, force: true });
  };
  const store = { ...config.store, dataDir: folder, databaseUrl: undefined };
  const core = await composeCore({ ...config, store }, log, { address: "local", observers: [] }).catch(
    async (error: unknown) => {
      await remove();
      throw error;
    },
  );
  const health = createHealth();
  health.setServing(true);
  const draining = new AbortController();
  const methods = serveServices(SERVICES, {
    ...core,
    health,
    logControl: FOREIGN_LOG.levels,
    diagnostics: { instanceId: "local", ofInstance: async () => [], ofDatabase: async () => [] },
    facts: { version: readVersion(), revision: "", store: "embedded", startedAt: Date.now(), capabilities: [] },
    limits: config.limits,
    packages: packagesOf(SERVICES),
    tokens: createTokens(core.tokenKey),
    draining: draining.signal,
    askPeers: core.peers.ask,
    heartbeatMs: HEARTBEAT_MS,
  });
  return {
    ...createLocalClient(methods, log, actor),
    async close() {
      draining.abort(toError("SHUTTING_DOWN"));
      await core.close();
      await remove();
    },
  };
}
