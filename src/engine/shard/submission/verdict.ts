/**
 * The verdict on a suspect: whether it killed its owners, or somebody kills them from outside.
 *
 * An entity that kills never passes its trial, and no owner dies outside of it. Kills from outside also hit the pauses
 * between trials, and entities that pass their next trial. Each such death is *unexplained* and speaks for the
 * suspects: an entity is held when its own deaths in a row outnumber them. See docs/adr/0011.
 */
import type { Suspect } from "../kind.ts";

/**
 * Deaths in a row, alone in progress at the same moment, that put an entity into quarantine. The death before them made
 * it a suspect: three in all.
 */
export const MAX_DEATHS = 2;

/**
 * Unexplained deaths that are counted. While somebody kills from outside all the time, an entity that kills is held
 * after `MAX_DEATHS` and so many. An innocent one whose trial every second kill hits before it passes (a trial that
 * takes as long as half the life of the process) is held once in four million times.
 */
const MAX_UNEXPLAINED = 20;

/** True when the suspect is put into quarantine. */
export function isGuilty({ deaths, unexplained, blocked }: Suspect): boolean {
  // The death that makes the first suspects is unexplained, whatever the cause.
  const excused = Math.min(Math.max(0, unexplained - 1), MAX_UNEXPLAINED);
  return blocked || deaths >= MAX_DEATHS + excused;
}
