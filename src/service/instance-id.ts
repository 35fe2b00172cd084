import { hostname } from "node:os";
import type { LoadedConfig } from "../config/config.ts";

/** Returns a unique name for this process. */
export function makeInstanceId(): string {
  return `${hostname()}-${process.pid}-${Date.now().toString(36)}`;
}

/**
 * Returns the configuration with the name of the instance fixed, so that leases and all log lines carry the same one.
 */
export function withInstanceId(loaded: LoadedConfig): LoadedConfig {
  const { config } = loaded;
  const instanceId = config.engine.instanceId ?? makeInstanceId();
  return { ...loaded, config: { ...config, engine: { ...config.engine, instanceId } } };
}
