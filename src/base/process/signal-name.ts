/** Names of signals: what SignalRun and StartRun accept as `signal_name`. A contract test holds the two together. */
export const SIGNAL_NAME_PATTERN = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

/** What is wanted where {@link SIGNAL_NAME_PATTERN} is. */
export const SIGNAL_NAME_PROBLEM =
  "expected the name of a signal: a letter or digit, then at most 127 letters, digits, dots, _ and -; no caller can send another name";
