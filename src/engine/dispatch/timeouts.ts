/** How soon a worker must acknowledge a task, milliseconds. */
export const ACK_TIMEOUT_MS = 5_000;

/** How long the session of a worker lives after its last sign, milliseconds. */
export const SESSION_TIMEOUT_MS = 30_000;
