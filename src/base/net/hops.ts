/** Header of calls of services: how many such calls came before this one. A loop through the service ends by it. */
export const HOPS_HEADER = "x-orchestrator-hops";
