/** The clock that all instances on a database share, independent of their machines' clocks. */

/** The database's clock, extrapolated between responses. */
export interface SharedClock {
  /** Milliseconds since the epoch. */
  now(): number;
}
