/**
 * A subject is one measured system in its own process. The harness forks its program and requests *loads* one by one
 * over Node's message channel:
 *
 *   harness → open subject → ready
 *   harness → load subject → begin (warm-up is over, the window opens) → end (the window closes) → result
 *   harness → close subject exits
 *
 * At begin and end the harness reads the CPU time of all processes of the subject.
 */
import { driveLoad, type Load, type LoadResult, type RunOnce, type WindowMarks } from "./load.ts";

/** Settings of one subject: database URL, folders, pool sizes. */
export type SubjectSettings = Readonly<Record<string, string | number | boolean>>;

/** Versions and settings, printed with the results. */
export type SubjectAbout = Readonly<Record<string, string | number>>;

/** A subject that is ready for load. */
export type OpenSubject = DrivenSubject | DrivingSubject;

/** A subject that performs one call at a time for the harness. */
export interface DrivenSubject {
  readonly about: SubjectAbout;
  readonly run: RunOnce;
  readonly close: () => Promise<void>;
}

/** A subject whose load comes from its own program, which measures too. */
export interface DrivingSubject {
  readonly about: SubjectAbout;
  /** Performs the load. `total` counts the runs of warm-up and window. */
  readonly drive: (load: Load, marks: WindowMarks) => Promise<{ readonly result: LoadResult; readonly total: number }>;
  readonly close: () => Promise<void>;
}

/** Message from the harness. */
export type Request =
  | { readonly kind: "open"; readonly settings: SubjectSettings }
  | { readonly kind: "load"; readonly load: Load }
  | { readonly kind: "close" };

/** Message from the subject. */
export type Reply =
  | { readonly kind: "ready"; readonly about: SubjectAbout }
  | { readonly kind: "begin" }
  | { readonly kind: "end" }
  | { readonly kind: "result"; readonly result: LoadResult; readonly total: number }
  | { readonly kind: "failed"; readonly message: string };

/** Makes this process a subject: it opens, serves loads, and exits on request. */
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
      // A peer can leave open handles after its shutdown; this process is no longer needed.
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
