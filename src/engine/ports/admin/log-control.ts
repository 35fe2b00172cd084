/** The levels of the log of this process, which operators change for a time. */
import type { LogComponent } from "../../../base/log.ts";

/** Levels of lines, the least important first. */
export type LineLevel = "debug" | "info" | "warn" | "error";

/** A level in force for a time. */
export interface LevelOverride {
  /** Null: all that has no level of its own. */
  readonly component: LogComponent | null;
  readonly level: LineLevel;
  /** Milliseconds since the epoch. */
  readonly until: number;
  readonly by: string;
  readonly why: string;
}

/** What operators see and change of the levels. */
export interface LogControl {
  readonly configured: LineLevel;
  /** By component, that of all first. */
  overrides(): readonly LevelOverride[];
  /** Sets a level, in the place of one for the same component. The log says so, whatever its level is. */
  override(wanted: Omit<LevelOverride, "until"> & { readonly forMs: number }): void;
  /** Ends an override, if there is one. */
  reset(component: LogComponent | null, by: string, why: string): void;
}
