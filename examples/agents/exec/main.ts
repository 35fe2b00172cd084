/** The exec agent: runs a command in a folder of its own, within limits. Needs Linux with util-linux and coreutils. */
import { runAgent, toNumber } from "../shared/agent.ts";
import { createExecHandler, sweep } from "./handle.ts";
import { probeNamespaces } from "./isolation.ts";

const { env } = process;
/** Users 64000 and above: few systems give these out. */
const firstUid = process.getuid?.() === 0 ? toNumber(env, "AGENT_EXEC_FIRST_UID", 64_000) : null;
const wanted = env["AGENT_EXEC_ISOLATION"] || "auto";
if (!["auto", "namespace", "rewrite"].includes(wanted))
  throw new Error(`AGENT_EXEC_ISOLATION is "${wanted}"; write auto, namespace, or rewrite`);
const hasNamespaces = wanted === "rewrite" ? false : await probeNamespaces(firstUid);
if (wanted === "namespace" && !hasNamespaces)
  throw new Error("AGENT_EXEC_ISOLATION is namespace, and namespaces cannot be made here; write rewrite, or auto");

sweep();
const handle = createExecHandler({
  isolation: hasNamespaces ? "namespace" : "rewrite",
  firstUid,
  memoryMb: toNumber(env, "AGENT_EXEC_MEMORY_MB", 512),
  processes: toNumber(env, "AGENT_EXEC_PROCESSES", 64),
  diskMb: toNumber(env, "AGENT_EXEC_DISK_MB", 64),
  maxOutputBytes: toNumber(env, "AGENT_EXEC_MAX_OUTPUT_BYTES", 1024 * 1024),
  defaultSeconds: toNumber(env, "AGENT_EXEC_TIMEOUT_SECONDS", 300),
});
await runAgent({ kind: "exec", handle, concurrency: 4 });
