/** The log of a service inside another program: it belongs to that program, and operators do not change it. */
import { LogLevels } from "../../../telemetry/log/log-levels.ts";
import type { Logger } from "../../../telemetry/log/logger.ts";

export const FOREIGN_LOG: Pick<Logger, "levels" | "recent"> = {
  levels: new LogLevels("info", () => {}),
  recent: { text: () => "" },
};
