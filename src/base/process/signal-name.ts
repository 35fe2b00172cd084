/**
 * Names of signals: the values that SignalRun and StartRun accept as `signal_name`. A contract test keeps the two in
 * sync.
 */
export const SIGNAL_NAME_PATTERN = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

/** Describes what {@link SIGNAL_NAME_PATTERN} requires. */
export const SIGNAL_NAME_PROBLEM =
  "expected the name of a signal: a letter or digit, then at most 127 letters, digits, dots, _ and -; no caller can send another name";
