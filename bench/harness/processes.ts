/** CPU time and memory of processes, from /proc (Linux only, like the whole benchmark). */
import { readdir, readFile } from "node:fs/promises";

/** Clock ticks per second in /proc/<pid>/stat: 100 on every Linux that Node supports. */
const TICKS_PER_SECOND = 100;

/** CPU seconds (user and system) of the processes, including ended children. */
export async function readCpuSeconds(pids: readonly number[]): Promise<number> {
  const all = await Promise.all(pids.map(readTicks));
  return all.reduce((sum, ticks) => sum + ticks, 0) / TICKS_PER_SECOND;
}

/** The process and all its live descendants. */
export async function listProcessTree(root: number): Promise<number[]> {
  const children = new Map<number, number[]>();
  for (const name of await readdir("/proc").catch(() => [] as string[])) {
    const pid = Number(name);
    if (!Number.isInteger(pid)) continue;
    const parent = Number((await readStat(pid))[1]);
    children.set(parent, [...(children.get(parent) ?? []), pid]);
  }
  const tree = [root];
  for (const pid of tree) tree.push(...(children.get(pid) ?? []));
  return tree;
}

/** Kills a process and all its live descendants. */
export async function killTree(root: number): Promise<void> {
  for (const pid of await listProcessTree(root)) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It has already ended.
    }
  }
}

/** Resident memory of a process, bytes; zero if it cannot be read. */
export async function readResidentBytes(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(text)?.[1] ?? 0) * 1024;
}

/** Busy CPU seconds of the whole machine, including steal time. The part outside a subject disturbs it. */
export async function readMachineBusySeconds(): Promise<number> {
  const [, user, nice, system, , , irq, softirq, steal] =
    (await readFile("/proc/stat", "utf8")).slice(0, 200).split("\n", 1)[0]?.split(/\s+/) ?? [];
  return (
    [user, nice, system, irq, softirq, steal].reduce((sum, ticks) => sum + Number(ticks ?? 0), 0) / TICKS_PER_SECOND
  );
}

async function readTicks(pid: number): Promise<number> {
  const fields = await readStat(pid);
  // utime, stime, cutime, cstime: fields 14 to 17 of proc(5), counted here from the field after the command's name.
  return [11, 12, 13, 14].reduce((sum, index) => sum + Number(fields[index] ?? 0), 0);
}

async function readStat(pid: number): Promise<string[]> {
  const text = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
  return text.slice(text.lastIndexOf(")") + 2).split(" ");
}
