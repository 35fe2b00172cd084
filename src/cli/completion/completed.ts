/** Arguments and options with completion: declared in the commands, read by the completion. */
import { Argument, Option } from "commander";

/** What a word names: something that a service or the user's profiles list, or a file. */
export type WordKind =
  | "flow"
  | "run"
  | "asking-run"
  | "approval"
  | "operation"
  | "queue"
  | "limit"
  | "template"
  | "profile"
  | "file";

/** An argument with completion. */
export class CompletedArgument extends Argument {
  readonly kinds: readonly WordKind[];

  constructor(name: string, description: string, ...kinds: readonly WordKind[]) {
    super(name, description);
    this.kinds = kinds;
  }
}

/** An option whose value has completion. */
export class CompletedOption extends Option {
  readonly kinds: readonly WordKind[];

  constructor(flags: string, description: string, ...kinds: readonly WordKind[]) {
    super(flags, description);
    this.kinds = kinds;
  }
}

/** What completes an argument or the value of an option; empty if nothing does. */
export function kindsOf(target: Argument | Option | undefined): readonly WordKind[] {
  return target instanceof CompletedArgument || target instanceof CompletedOption ? target.kinds : [];
}
