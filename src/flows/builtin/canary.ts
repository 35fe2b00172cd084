/** The flow of canaries: one task that gives back what it gets, by every step of a call of a tool. */
import type { BuiltInDocument } from "../ports/built-in.ts";
import { CANARY_FLOW } from "./ids.ts";

/** The document. A task that fails leaves no dead letter: the run completes without output, which is noticed. */
export const CANARY_DOCUMENT: BuiltInDocument = {
  id: CANARY_FLOW,
  name: "Canary",
  description: "A run that the service starts now and then to see whether it works.",
  variables: [{ name: "text", type: "string", required: true }],
  workflow: {
    tasks: [{ id: "echo", type: "noop", parameters: { output: "${vars.text}" }, on_error: "continue" }],
    output: "${tasks.echo.output}",
  },
};
