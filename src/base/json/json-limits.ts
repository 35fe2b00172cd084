/** Limits that hold wherever a value comes in. */

/** Largest execution context of a run, bytes of JSON, whichever way its start comes. The contract has it, too. */
export const MAX_CONTEXT_BYTES = 65_536;
