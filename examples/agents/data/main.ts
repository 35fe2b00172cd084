/** The data agent: a small graph of a museum, traversed, searched, and enriched. */
import { runAgent } from "../shared/agent.ts";
import { readGraph } from "./graph.ts";
import { createDataHandler } from "./handle.ts";

const graph = readGraph(new URL("museum.json", import.meta.url));
await runAgent({ kind: "data", handle: createDataHandler(graph), concurrency: 16 });
