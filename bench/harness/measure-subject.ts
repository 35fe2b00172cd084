/**
 * Measures one subject once: opens it on a fresh database, drives it through its windows, closes it, and reads its
 * database cost.
 */
import { availableParallelism } from "node:os";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { type MeasuredLoad, openSubject, type SubjectProcess } from "./ask-subject.ts";
import { readDatabaseCounters } from "./database-cost.ts";
import type { Load } from "./load.ts";
import type { BenchPostgres } from "./postgres.ts";
import { readMachineBusySeconds } from "./processes.ts";
import type { SubjectAbout } from "./subject.ts";
import type { SubjectEntry } from "./subjects.ts";

/** Lengths of the windows in seconds. */
export interface WindowPlan {
  readonly warmSeconds: number;
  readonly aloneSeconds: number;
  readonly flightSeconds: number;
  /** Most attempts to measure a window without disturbance. */
  readonly attempts: number;
}

/** Result of one visit. Windows are keyed by calls in flight; `1` is the run alone. */
export interface SubjectSample {
  readonly about: SubjectAbout;
  readonly windows: Readonly<Record<string, MeasuredLoad>>;
  readonly commitsPerRun?: number;
  readonly walBytesPerRun?: number;
}

/** Where subjects run. */
export interface SubjectPlace {
  readonly postgres: BenchPostgres;
  /** Folder on the same disk as Postgres, for peers with their own stores. */
  readonly folder: string;
  /** Node programs of the subject write CPU profiles here when they end. */
  readonly profileFolder: string | undefined;
}

/** Node arguments that write CPU profiles into a folder, if profiles are wanted. */
export function profileArguments(place: SubjectPlace, name: string): readonly string[] {
  return place.profileFolder === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${place.profileFolder}/${name}`];
}

/** Measures one subject. Rejects if it gives wrong output or dies. */
export async function measureSubject(
  entry: SubjectEntry,
  plan: WindowPlan,
  place: SubjectPlace,
): Promise<SubjectSample> {
  const database = `subject_${entry.name.replaceAll("-", "_")}`;
  const databaseUrl = await place.postgres.freshDatabase(database);
  const before = await readDatabaseCounters(place.postgres, database);
  const subject = await openSubject({
    file: fileURLToPath(new URL(`../${entry.file}`, import.meta.url)),
    settings: { ...entry.settings, databaseUrl, folder: place.folder },
    ...(entry.usesPostgres ? { postgresPid: place.postgres.pid } : {}),
    nodeArguments: profileArguments(place, entry.name),
  });
  const windows: Record<string, MeasuredLoad> = {};
  try {
    for (const inFlight of [...(entry.alone ? [1] : []), ...entry.inFlight]) {
      const seconds = inFlight === 1 ? plan.aloneSeconds : plan.flightSeconds;
      windows[inFlight] = await driveUndisturbed(
        subject,
        { inFlight, seconds, warmSeconds: plan.warmSeconds },
        plan.attempts,
      );
    }
  } finally {
    await subject.close();
  }
  const about = subject.about;
  if (!entry.usesPostgres) return { about, windows };
  const after = await readDatabaseCounters(place.postgres, database);
  const runs = subject.totalRuns();
  await place.postgres.query(`DROP DATABASE ${database} WITH (FORCE)`);
  return {
    about,
    windows,
    commitsPerRun: (after.commits - before.commits) / runs,
    walBytesPerRun: (after.walBytes - before.walBytes) / runs,
  };
}

/** A window in which others used more of the machine is measured again. */
const MAX_OTHERS_SHARE = 0.1;

/** Waits for at most twenty seconds until the machine has been quiet for two; the subjects are idle. */
async function waitUntilQuiet(): Promise<void> {
  for (let attempt = 0; attempt < 10; attempt++) {
    const before = await readMachineBusySeconds();
    await delay(2000);
    if ((await readMachineBusySeconds()) - before < 2 * availableParallelism() * MAX_OTHERS_SHARE) return;
  }
}

/** Measures a window, again if the machine was busy with other work; the least disturbed attempt counts. */
async function driveUndisturbed(subject: SubjectProcess, load: Load, attempts: number): Promise<MeasuredLoad> {
  let best = await subject.drive(load);
  for (let attempt = 1; attempt < attempts && best.othersShare > MAX_OTHERS_SHARE; attempt++) {
    await waitUntilQuiet();
    const again = await subject.drive(load);
    if (again.othersShare < best.othersShare) best = again;
  }
  return best;
}
