/**
 * Header of what runs send over HTTP, calls and events: how many such requests led here, this one included. A run that
 * a request with it starts goes on counting, so a loop through the service ends.
 */
export const HOPS_HEADER = "x-orchestrator-hops";
