/** Entry point of the compiler process: sends one response per request, and exits when its parent does. */

import type { FlowDocument } from "../document/schema.ts";
import { inlineGraphCompiler } from "./graph-compiler.ts";
import type { Structure } from "./structure.ts";

/** A request to the compiler process. */
export interface CompilerQuestion {
  readonly id: number;
  readonly kind: "structure" | "draw";
  readonly document: FlowDocument;
}

/** Its response; `problem` is an error message. */
export type CompilerAnswer =
  | { readonly id: number; readonly value: Structure | string }
  | { readonly id: number; readonly problem: string };

async function answer({ id, kind, document }: CompilerQuestion): Promise<CompilerAnswer> {
  try {
    return {
      id,
      value:
        kind === "draw" ? await inlineGraphCompiler.draw(document) : await inlineGraphCompiler.structureOf(document),
    };
  } catch (error) {
    return { id, problem: error instanceof Error ? error.message : String(error) };
  }
}

if (process.send !== undefined) {
  process.on("disconnect", () => process.exit(0));
  // A signal to the whole process group (from a supervisor that stops a service) is meant for the service, which may
  // still send requests while it stops.
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => {});
  process.on("message", (question: CompilerQuestion) => {
    void answer(question).then((result) => process.send?.(result));
  });
}
