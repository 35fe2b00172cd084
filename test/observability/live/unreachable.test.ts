/** The database is away. */
import { exercise } from "./exercise.ts";

await exercise("unreachable");
