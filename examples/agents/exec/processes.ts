/** The processes of a task, as /proc shows them. */
import { readdirSync, readFileSync } from "node:fs";

/** The variable that names the task in each of its processes, unless it is removed there. */
export const MARK = "AGENT_EXEC_TASK";

const PAGE_BYTES = 4_096;

/** Memory of a process and of everything that it started, bytes, without what they share with others. */
export function measureMemory(leader: number): number {
  const processes = listProcesses();
  const ours = new Set([leader]);
  for (let before = 0; before < ours.size; ) {
    before = ours.size;
    for (const { pid, parent, group } of processes) if (ours.has(parent) || group === leader) ours.add(pid);
  }
  let pages = 0;
  for (const pid of ours) {
    const [, resident = 0, shared = 0] = (read(`/proc/${pid}/statm`) ?? "").split(" ").map(Number);
    pages += Math.max(0, resident - shared);
  }
  return pages * PAGE_BYTES;
}

/** Kills a process group, and the processes with the mark of a task that left it. */
export function killTask(group: number | undefined, task: string): void {
  if (group !== undefined) kill(-group);
  const mark = `${MARK}=${task}`;
  // What forks while it is killed is found the next time.
  for (let round = 0, found = true; found && round < 100; round++) {
    found = false;
    for (const { pid } of listProcesses())
      if ((read(`/proc/${pid}/environ`) ?? "").split("\0").includes(mark)) {
        found = true;
        kill(pid);
      }
  }
}

interface Process {
  readonly pid: number;
  readonly parent: number;
  readonly group: number;
}

function listProcesses(): readonly Process[] {
  return readdirSync("/proc").flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    const stat = read(`/proc/${name}/stat`);
    // The name of the program, in parentheses, may hold anything.
    const [state, parent, group] = stat?.slice(stat.lastIndexOf(")") + 2).split(" ") ?? [];
    if (state === undefined || state === "Z") return [];
    return [{ pid: Number(name), parent: Number(parent), group: Number(group) }];
  });
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended.
  }
}

function read(path: string): string | null {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return null;
  }
}
