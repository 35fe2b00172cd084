/** The clock that the instances on one database share, whatever the clocks of their machines show. */

/** The database's clock, extrapolated between answers. */
export interface SharedClock {
  /** Milliseconds since the epoch. */
  now(): number;
}
