/** The database answers, and not as it should; an instance hangs. */
import { exercise } from "./exercise.ts";

await exercise("store");
