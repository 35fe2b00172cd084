/** The exec agent: runs a command in a folder of its own, within limits. Needs Linux with util-linux and coreutils. */
import { tmpdir } from "node:os";
import { resolve } from "node:path";
import { runAgent, toNumber } from "../shared/agent.ts";
import { probePodman } from "./containers.ts";
import { createExecHandler, sweep } from "./handle.ts";
import { probeNamespaces } from "./isolation.ts";

const { env } = process;
/** Users 64000 and above: few systems give these out. */
const firstUid = process.getuid?.() === 0 ? toNumber(env, "AGENT_EXEC_FIRST_UID", 64_000) : null;
const wanted = oneOf("AGENT_EXEC_ISOLATION", "auto", "container", "namespace", "rewrite");
const pulls = oneOf("AGENT_EXEC_PULL", "never", "missing") === "missing";
const isRequired = wanted === "container";
const containers = wanted === "auto" || isRequired ? await probePodman({ pulls, isRequired }) : null;
if (isRequired && containers === null)
  throw new Error("AGENT_EXEC_ISOLATION is container, and podman is missing or does not work; write auto");
const hasNamespaces = wanted === "rewrite" ? false : await probeNamespaces(firstUid);
if (wanted === "namespace" && !hasNamespaces)
  throw new Error("AGENT_EXEC_ISOLATION is namespace, and namespaces cannot be made here; write rewrite, or auto");

const folder = resolve(env["ORCHESTRATOR_WORKSPACE"] || tmpdir());
sweep(folder, containers);
const handle = createExecHandler({
  isolation: hasNamespaces ? "namespace" : "rewrite",
  containers,
  folder,
  firstUid,
  memoryMb: toNumber(env, "AGENT_EXEC_MEMORY_MB", 512),
  processes: toNumber(env, "AGENT_EXEC_PROCESSES", 64),
  diskMb: toNumber(env, "AGENT_EXEC_DISK_MB", 64),
  maxOutputBytes: toNumber(env, "AGENT_EXEC_MAX_OUTPUT_BYTES", 1024 * 1024),
  defaultSeconds: toNumber(env, "AGENT_EXEC_TIMEOUT_SECONDS", 300),
});
await runAgent({ kind: "exec", handle, concurrency: 4 });

/** The value of a variable, one of some words; the first of them if it is not set. */
function oneOf(name: string, ...words: readonly [string, ...string[]]): string {
  const value = env[name] || words[0];
  if (words.includes(value)) return value;
  throw new Error(`${name} is "${value}"; write ${words.slice(0, -1).join(", ")}, or ${words.at(-1)}`);
}
