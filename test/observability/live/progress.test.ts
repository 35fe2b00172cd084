/** Runs, messages, or the gate stand still. */
import { exercise } from "./exercise.ts";

await exercise("progress");
