/** The log of commands that open the database themselves. */
import type { Log } from "../../../base/log.ts";
import { openSecrets } from "../../../config/config.ts";
import type { Config } from "../../../config/settings.ts";
import { openLogger } from "../../../telemetry/log/logger.ts";
import { toStderr } from "../../terminal/output.ts";

/** Warnings go to standard error, because standard output holds the answer. */
export function openOfflineLog(config: Config): Promise<Log> {
  const { redact } = openSecrets(config);
  const destination = { write: (line: string) => void toStderr`${line}` };
  return openLogger({ level: "warn", format: "json", redact, destination });
}
