/**
 * Levels of the log while the process runs: the configured one, and others for a time.
 *
 *   configured ──override──→ another one ──its time is up, or reset──→ configured
 *
 * The level of a component comes before that of all. A process that starts has the configured level.
 */
import { LOG_COMPONENTS, type LogComponent } from "../../base/log.ts";
import type { LevelOverride, LineLevel, LogControl } from "../../engine/ports/admin/log-control.ts";

const RANKS: Readonly<Record<LineLevel, number>> = { debug: 1, info: 2, warn: 3, error: 4 };

/** Writes a line whatever the levels are. */
export type Announce = (message: string, fields: Readonly<Record<string, unknown>>) => void;

export class LogLevels implements LogControl {
  readonly configured: LineLevel;
  readonly #announce: Announce;
  readonly #overrides = new Map<LogComponent | null, LevelOverride & { readonly timer: NodeJS.Timeout }>();
  /** The lowest rank that is written: one comparison for each line. */
  readonly #lowest = new Map<LogComponent | null, number>();

  constructor(configured: LineLevel, announce: Announce) {
    this.configured = configured;
    this.#announce = announce;
    this.#settle();
  }

  isWritten(component: LogComponent | null, level: LineLevel): boolean {
    return RANKS[level] >= (this.#lowest.get(component) as number);
  }

  overrides(): readonly LevelOverride[] {
    return [null, ...LOG_COMPONENTS].flatMap((component) => {
      const one = this.#overrides.get(component);
      if (one === undefined) return [];
      const { timer: _, ...override } = one;
      return [override];
    });
  }

  override({ component, level, by, why, forMs }: Parameters<LogControl["override"]>[0]): void {
    this.#remove(component);
    const timer = setTimeout(() => {
      this.#remove(component);
      this.#announce("the time of a log level is up", { component, logLevel: level, configured: this.configured });
    }, forMs).unref();
    this.#overrides.set(component, { component, level, by, why, until: Date.now() + forMs, timer });
    this.#settle();
    this.#announce("the log level was set for a time", { component, logLevel: level, forMs, by, why });
  }

  reset(component: LogComponent | null, by: string, why: string): void {
    const { level } = this.#overrides.get(component) ?? {};
    if (level === undefined) return;
    this.#remove(component);
    this.#announce("the log level was set back", { component, logLevel: level, configured: this.configured, by, why });
  }

  #remove(component: LogComponent | null): void {
    clearTimeout(this.#overrides.get(component)?.timer);
    this.#overrides.delete(component);
    this.#settle();
  }

  #settle(): void {
    const all = this.#overrides.get(null)?.level ?? this.configured;
    for (const component of [null, ...LOG_COMPONENTS])
      this.#lowest.set(component, RANKS[this.#overrides.get(component)?.level ?? all]);
  }
}
