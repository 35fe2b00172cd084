/** The name under which the command line calls: the one that the user gives, otherwise the user name of the system. */
import { userInfo } from "node:os";
import { Option } from "commander";
import { ACTOR_KEY, encodeActor } from "../api/calls/caller.ts";

export interface ActorOptions {
  readonly by?: string;
}

export function actorOption(): Option {
  return new Option("--by <name>", "who acts, for the record; not authenticated (default: the user of the system)").env(
    "ORCHESTRATOR_BY",
  );
}

/** The name; empty if the system has none. */
export function actorOf({ by }: ActorOptions): string {
  if (by !== undefined && by !== "") return by;
  try {
    return userInfo().username;
  } catch {
    return ""; // A user without a name, as in some containers.
  }
}

export function actorHeaders(options: ActorOptions): Readonly<Record<string, string>> {
  const actor = actorOf(options);
  return actor === "" ? {} : { [ACTOR_KEY]: encodeActor(actor) };
}
