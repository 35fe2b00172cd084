/** The schema of the configured database, for commands that serve nothing. */
import type { Log } from "../base/log.ts";
import type { Config } from "../config/settings.ts";
import { createParts } from "./parts/parts.ts";
import { openSchema, type Schema } from "./parts/store.ts";

/** Opens the database for the time of `work`. Errors: DATA_FOLDER_…, STORE_…, MIGRATION_INVALID. */
export async function withSchema<T>(config: Config, log: Log, work: (schema: Schema) => Promise<T>): Promise<T> {
  const parts = createParts(log);
  try {
    return await work((await openSchema(config, log, parts)).schema);
  } finally {
    await parts.close();
  }
}
