/**
 * One-shot measurements in a separate process: the harness forks the program, sends its settings, and receives figures.
 * Their names say what they measure, and in which unit.
 */
import { fork } from "node:child_process";
import { killTree } from "./processes.ts";
import type { SubjectSettings } from "./subject.ts";

/** Figures by name; the name carries the unit (`…Ms`, `…Bytes`, `…PerSecond`). */
export type Figures = Readonly<Record<string, number>>;

type Answer =
  | { readonly kind: "figures"; readonly figures: Figures }
  | { readonly kind: "failed"; readonly message: string };

/** Makes this process measure once: it waits for its settings, measures, responds, and exits. */
export function serveFigures(measure: (settings: SubjectSettings) => Promise<Figures>): void {
  process.once("message", (settings: SubjectSettings) => {
    measure(settings).then(
      (figures) =>
        process.send?.({ kind: "figures", figures } satisfies Answer, undefined, undefined, () => process.exit(0)),
      (error: unknown) => {
        const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
        process.send?.({ kind: "failed", message } satisfies Answer);
      },
    );
  });
  process.on("disconnect", () => process.exit(1));
}

/** Forks the program in production mode and returns its figures. Rejects if it fails or dies. */
export async function askFigures(
  file: string,
  settings: SubjectSettings,
  nodeArguments: readonly string[],
): Promise<Figures> {
  const child = fork(file, {
    execArgv: ["--no-warnings", ...nodeArguments],
    env: { ...process.env, NODE_ENV: "production" },
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  let answer: Answer | undefined;
  child.on("message", (message: Answer) => {
    answer = message;
    // If it could not stop its children, they must not live on.
    if (message.kind === "failed" && child.pid !== undefined) void killTree(child.pid);
  });
  child.send(settings);
  const code = await new Promise<number | null>((resolve) => child.once("exit", resolve));
  if (answer === undefined) throw new Error(`${file} ended early (exit ${code})`);
  if (answer.kind === "failed") throw new Error(`${file}: ${answer.message}`);
  return answer.figures;
}
