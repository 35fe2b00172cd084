/** No instance is left. */
import { exercise } from "./exercise.ts";

await exercise("down");
