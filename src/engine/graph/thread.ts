/**
 * Entry point of a worker thread. A thread does not share the compile cache of its process, so this enables it before
 * loading LangGraph, which dominates the startup time.
 */
import { enableCompileCache } from "node:module";
import { workerData } from "node:worker_threads";
import type { WorkerStart } from "./protocol.ts";

const { compileCache } = workerData as WorkerStart;
if (compileCache !== null) enableCompileCache(compileCache);
await import("./worker.ts");
