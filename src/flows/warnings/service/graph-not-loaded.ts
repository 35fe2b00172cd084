import { suggest } from "../../../tasks/schema/suggest.ts";
import type { WarningCheck } from "../warning.ts";

/** Warns about a graph that the service has not loaded: StartRun refuses such a flow. */
export const checkGraphIsLoaded: WarningCheck = ({ document }, report, world) => {
  const { graph } = document.workflow;
  if (graph === undefined || world?.graphs === undefined || world.graphs.has(graph)) return;
  report(
    "GRAPH_NOT_LOADED",
    ["workflow", "graph"],
    `graph "${graph}" is not loaded here${suggest(graph, [...world.graphs])}`,
    "name the module that exports it in graphs.modules and restart the service",
  );
};
