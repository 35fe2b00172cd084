import { hostname } from "node:os";
import type { LoadedConfig } from "../config/config.ts";

/** A name for this process that no other one has. */
export function makeInstanceId(): string {
  return `${hostname()}-${process.pid}-${Date.now().toString(36)}`;
}

/** The configuration with the name of the instance fixed, so that leases and every line of the log carry the same one. */
export function withInstanceId(loaded: LoadedConfig): LoadedConfig {
  const { config } = loaded;
  const instanceId = config.engine.instanceId ?? makeInstanceId();
  return { ...loaded, config: { ...config, engine: { ...config.engine, instanceId } } };
}
