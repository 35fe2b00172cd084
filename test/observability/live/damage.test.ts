/** Runs are gone, damaged, or refused for good. */
import { exercise } from "./exercise.ts";

await exercise("damage");
