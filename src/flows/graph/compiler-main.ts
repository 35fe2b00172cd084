/** Entry of the compiler process: answers one message per question, ends when its parent does. */

import type { FlowDocument } from "../document/schema.ts";
import { inlineGraphCompiler } from "./graph-compiler.ts";
import type { Structure } from "./structure.ts";

/** A question to the compiler process. */
export interface CompilerQuestion {
  readonly id: number;
  readonly kind: "structure" | "draw";
  readonly document: FlowDocument;
}

/** Its answer; `problem` is the message of an error. */
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
  // Whoever signals a whole group (a supervisor that stops a service) means the service: it may still have questions while it stops.
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => {});
  process.on("message", (question: CompilerQuestion) => {
    void answer(question).then((result) => process.send?.(result));
  });
}
