/** Entry of a worker thread. A thread has no share in the compile cache of its process, so this opens it before LangGraph is loaded: most of the time of a start. */
import { enableCompileCache } from "node:module";
import { workerData } from "node:worker_threads";
import type { WorkerStart } from "./protocol.ts";

const { compileCache } = workerData as WorkerStart;
if (compileCache !== null) enableCompileCache(compileCache);
await import("./worker.ts");
