/** Systems outside answer, and too late. */
import { exercise } from "./exercise.ts";

await exercise("outside");
