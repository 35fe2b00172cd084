/**
 * When a message is rejected because its readers died of it. Kills from outside also hit readers while a message is in
 * progress, so what else has killed lately speaks for the message. See docs/adr/0011 and 0069.
 */

import type { MessageDeaths } from "../engine/ports/bus/suspects.ts";

/** After so many deaths with it in progress, a message is rejected. */
export const MAX_DEATHS = 3;

/** Why it is rejected. */
export const KILLS_ITS_READER = "KILLS_ITS_READER";

/**
 * Deaths for which nothing accounts and which yet come from the message: of the reader that met it first, and of one
 * that began at its partition again. An instance that has died while it had many messages counts against none alone.
 */
export const BEFORE_TRIAL = 2;

/** Deaths from outside that are counted: a message that kills is rejected after so many more, whatever else kills. */
const MAX_UNEXPLAINED = 20;

/** True when a message is rejected. `unexplained`: as in `TakenPartition`; the others that it killed are among them. */
export function isGuilty({ readers, others }: MessageDeaths, unexplained: number): boolean {
  const excused = Math.min(Math.max(0, unexplained - others - BEFORE_TRIAL), MAX_UNEXPLAINED);
  return readers + others >= MAX_DEATHS + excused;
}
