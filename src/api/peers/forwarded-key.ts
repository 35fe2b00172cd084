/** Metadata of a call that another instance sent on. */
export const FORWARDED_KEY = "x-orchestrator-forwarded";
