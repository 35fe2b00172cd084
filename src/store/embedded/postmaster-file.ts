import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** The contents of `postmaster.pid`. */
export interface PostmasterFile {
  readonly pid: number;
  /** Folder of the socket as it was passed to the server. */
  readonly socketFolder: string;
  /** `starting`, `ready`, `stopping`, `standby`; empty very early. */
  readonly status: string;
}

/** Reads `postmaster.pid` of a data directory. Returns undefined if the file is missing or incomplete. */
export function readPostmasterFile(data: string): PostmasterFile | undefined {
  let lines: string[];
  try {
    lines = readFileSync(join(data, "postmaster.pid"), "utf8").split("\n");
  } catch {
    // The file does not exist.
    return undefined;
  }
  const pid = Number.parseInt(lines[0] ?? "", 10);
  if (!Number.isInteger(pid) || pid <= 0) return undefined;
  return { pid, socketFolder: lines[4] ?? "", status: (lines[7] ?? "").trim() };
}

/** Command line of a process, with words separated by spaces. Empty if there is no such process or it is a zombie. */
export function readCommandLine(pid: number): string {
  try {
    if (process.platform === "linux") return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
    return execFileSync("ps", ["-o", "command=", "-p", String(pid)], { encoding: "utf8" });
  } catch {
    // It has exited.
    return "";
  }
}

/** Pids of the processes whose command line begins with `prefix`. */
export function findProcesses(prefix: string): number[] {
  if (process.platform === "linux") {
    return readdirSync("/proc")
      .filter((name) => /^\d+$/.test(name))
      .map(Number)
      .filter((pid) => readCommandLine(pid).startsWith(prefix));
  }
  return execFileSync("ps", ["-axo", "pid=,command="], { encoding: "utf8" })
    .split("\n")
    .map((line) => /^ *(\d+) (.*)$/.exec(line))
    .filter((match) => match?.[2]?.startsWith(prefix))
    .map((match) => Number(match?.[1]));
}
