/**
 * A subject is one system under measurement in a process of its own. The harness forks its program and asks for
 * *loads*, one after another, over Node's message channel:
 *
 *   harness → open     subject → ready
 *   harness → load     subject → begin (warm-up is over, the window opens) → end (the window closes) → result
 *   harness → close    subject exits
 *
 * At begin and end the harness reads the CPU time of everything that works for the subject.
 */
import { driveLoad, type Load, type LoadResult, type RunOnce, type WindowMarks } from "./load.ts";

/** Free-form settings of one subject: database URL, folders, pool sizes. */
export type SubjectSettings = Readonly<Record<string, string | number | boolean>>;

/** Versions and chosen settings, printed with the results. */
export type SubjectAbout = Readonly<Record<string, string | number>>;

/** A subject that is open for load. */
export type OpenSubject = DrivenSubject | DrivingSubject;

/** A subject that performs one call when asked; the harness drives it. */
export interface DrivenSubject {
  readonly about: SubjectAbout;
  readonly run: RunOnce;
  readonly close: () => Promise<void>;
}

/** A subject whose load comes from a program of its own, which measures too. */
export interface DrivingSubject {
  readonly about: SubjectAbout;
  /** Performs the load. `total` counts the runs of warm-up and window. */
  readonly drive: (load: Load, marks: WindowMarks) => Promise<{ readonly result: LoadResult; readonly total: number }>;
  readonly close: () => Promise<void>;
}

/** What the harness sends. */
export type Request =
  | { readonly kind: "open"; readonly settings: SubjectSettings }
  | { readonly kind: "load"; readonly load: Load }
  | { readonly kind: "close" };

/** What the subject answers. */
export type Reply =
  | { readonly kind: "ready"; readonly about: SubjectAbout }
  | { readonly kind: "begin" }
  | { readonly kind: "end" }
  | { readonly kind: "result"; readonly result: LoadResult; readonly total: number }
  | { readonly kind: "failed"; readonly message: string };

/** Makes this process a subject: opens it when asked, serves loads, exits when told to close. */
export function serveSubject(open: (settings: SubjectSettings) => Promise<OpenSubject>): void {
  let subject: OpenSubject | undefined;
  let total = 0;
  const reply = (message: Reply): void => {
    process.send?.(message);
  };
  const handle = async (request: Request): Promise<void> => {
    if (request.kind === "open") {
      subject = await open(request.settings);
      reply({ kind: "ready", about: subject.about });
      return;
    }
    if (request.kind === "close") {
      await subject?.close();
      // A peer may leave handles open after its own shutdown; nothing of this process is needed any more.
      process.exit(0);
    }
    if (subject === undefined) throw new Error("A load came before open.");
    const marks = { onBegin: () => reply({ kind: "begin" }), onEnd: () => reply({ kind: "end" }) };
    const { result, total: more } =
      "run" in subject
        ? await driveCounted(subject.run, request.load, marks)
        : await subject.drive(request.load, marks);
    total += more;
    reply({ kind: "result", result, total });
  };
  process.on("message", (request: Request) => {
    handle(request).catch((error: unknown) => {
      reply({ kind: "failed", message: error instanceof Error ? (error.stack ?? error.message) : String(error) });
    });
  });
  process.on("disconnect", () => process.exit(1));
}

async function driveCounted(
  run: RunOnce,
  load: Load,
  marks: WindowMarks,
): Promise<{ readonly result: LoadResult; readonly total: number }> {
  let total = 0;
  const counted: RunOnce = async (index) => {
    const runs = await run(index);
    total += runs;
    return runs;
  };
  return { result: await driveLoad(counted, load, marks), total };
}
