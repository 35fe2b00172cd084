/** A droplet: a small web service in Python, which is its own registry as well. */
import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { eventually } from "./eventually.ts";
import { findFreePort } from "./free-port.ts";

/** A running droplet. */
export interface Droplet {
  readonly url: string;
  readonly port: number;
  /** How often a path was called. */
  calls(path: string): Promise<number>;
  /** When it was, seconds since the epoch. */
  times(path: string): Promise<readonly number[]>;
  stop(): void;
}

/** Starts one; `listed` are further entries of its list, by name. The caller stops it. */
export async function startDroplet(listed: Readonly<Record<string, string>> = {}, at?: number): Promise<Droplet> {
  const port = at ?? (await findFreePort());
  const url = `http://localhost:${port}`;
  const program = join(import.meta.dirname, "droplet.py");
  const entries = Object.entries(listed).map(([name, place]) => `${name}=${place}`);
  const child: ChildProcess = spawn("python3", [program, String(port), ...entries], { stdio: "inherit" });
  const read = async (): Promise<Record<string, number[]>> => {
    const response = await fetch(`${url}/calls`);
    return (await response.json()) as Record<string, number[]>;
  };
  await eventually(read, { timeoutMs: 20_000 });
  const times = async (path: string): Promise<readonly number[]> => (await read())[path] ?? [];
  return {
    url,
    port,
    calls: async (path) => (await times(path)).length,
    times,
    stop: () => void child.kill("SIGKILL"),
  };
}
