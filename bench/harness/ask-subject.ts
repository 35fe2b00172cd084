/** The harness's side of the channel to a subject (see subject.ts). */
import { fork } from "node:child_process";
import { availableParallelism } from "node:os";
import type { Load, LoadResult } from "./load.ts";
import { killTree, listProcessTree, readCpuSeconds, readMachineBusySeconds } from "./processes.ts";
import type { Reply, Request, SubjectAbout, SubjectSettings } from "./subject.ts";

/** One window with its cost. */
export interface MeasuredLoad extends LoadResult {
  /** CPU seconds per 1,000 runs of all processes of the subject, including Postgres and its client. */
  readonly cpuSecondsPerThousand: number;
  /**
   * The same by part: the process that drives the load (with ended children), its live children (servers), Postgres.
   */
  readonly cpuParts: CpuParts;
  /** Share of the machine (0 to 1) used by processes outside the subject: how far the window can be trusted. */
  readonly othersShare: number;
}

/** CPU seconds by part. */
export interface CpuParts {
  readonly driver: number;
  readonly servers: number;
  readonly postgres: number;
}

/** A subject's process, open for loads. */
export interface SubjectProcess {
  readonly about: SubjectAbout;
  readonly pid: number;
  readonly drive: (load: Load) => Promise<MeasuredLoad>;
  /** Runs that the subject has finished so far, including warm-up. */
  readonly totalRuns: () => number;
  readonly close: () => Promise<void>;
}

export interface SubjectProgram {
  readonly file: string;
  readonly settings: SubjectSettings;
  /** Postmaster of the sitting's server if the subject uses it. */
  readonly postgresPid?: number;
  readonly nodeArguments?: readonly string[];
}

/** Forks the program in production mode and waits until it is ready. */
export async function openSubject(program: SubjectProgram): Promise<SubjectProcess> {
  const child = fork(program.file, {
    execArgv: ["--no-warnings", ...(program.nodeArguments ?? [])],
    env: { ...process.env, NODE_ENV: "production" },
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  let total = 0;
  const waiting: { resolve: (reply: Reply) => void; reject: (error: Error) => void }[] = [];
  const arrived: Reply[] = [];
  const rejectAll = (error: Error): void => {
    for (const one of waiting.splice(0)) one.reject(error);
  };
  child.on("message", (reply: Reply) => {
    if (reply.kind === "failed") {
      rejectAll(new Error(`${program.file}: ${reply.message}`));
      void killTree(child.pid ?? 0);
      return;
    }
    const next = waiting.shift();
    if (next === undefined) arrived.push(reply);
    else next.resolve(reply);
  });
  const exited = new Promise<void>((resolve) => {
    child.once("exit", (code) => {
      rejectAll(new Error(`${program.file} ended early (exit ${code})`));
      resolve();
    });
  });
  const receive = (): Promise<Reply> => {
    const reply = arrived.shift();
    if (reply !== undefined) return Promise.resolve(reply);
    return new Promise((resolve, reject) => waiting.push({ resolve, reject }));
  };
  const send = (request: Request): void => {
    child.send(request);
  };
  const expect = async <K extends Reply["kind"]>(kind: K): Promise<Extract<Reply, { kind: K }>> => {
    const reply = await receive();
    if (reply.kind !== kind) throw new Error(`${program.file}: expected ${kind}, got ${reply.kind}`);
    return reply as Extract<Reply, { kind: K }>;
  };
  try {
    send({ kind: "open", settings: program.settings });
    const { about } = await expect("ready");
    const driver = child.pid ?? 0;
    const listTree = async (pid: number | undefined): Promise<number[]> =>
      pid === undefined ? [] : listProcessTree(pid);
    const readCpu = async (): Promise<CpuParts & { readonly machine: number; readonly at: number }> => {
      const [own, postgresTree] = await Promise.all([listTree(driver), listTree(program.postgresPid)]);
      const serverPids = own.filter((pid) => pid !== driver);
      const [driverSeconds, servers, postgres, machine] = await Promise.all([
        readCpuSeconds([driver]),
        readCpuSeconds(serverPids),
        readCpuSeconds(postgresTree),
        readMachineBusySeconds(),
      ]);
      return { driver: driverSeconds, servers, postgres, machine, at: performance.now() };
    };
    return {
      about,
      pid: driver,
      drive: async (load) => {
        send({ kind: "load", load });
        await expect("begin");
        const before = await readCpu();
        await expect("end");
        const after = await readCpu();
        const { result, total: soFar } = await expect("result");
        total = soFar;
        const perThousand = (part: keyof CpuParts): number => ((after[part] - before[part]) / result.runs) * 1000;
        const cpuParts = {
          driver: perThousand("driver"),
          servers: perThousand("servers"),
          postgres: perThousand("postgres"),
        };
        const cpuSecondsPerThousand = cpuParts.driver + cpuParts.servers + cpuParts.postgres;
        const busy = after.machine - before.machine - (cpuSecondsPerThousand * result.runs) / 1000;
        const othersShare = (Math.max(0, busy) * 1000) / (after.at - before.at) / availableParallelism();
        return { ...result, cpuSecondsPerThousand, cpuParts, othersShare };
      },
      totalRuns: () => total,
      close: async () => {
        if (child.connected) send({ kind: "close" });
        await exited;
      },
    };
  } catch (error) {
    await killTree(child.pid ?? 0);
    throw error;
  }
}
