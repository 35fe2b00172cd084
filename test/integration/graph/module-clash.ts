import { buildPause } from "./versions.ts";

/** The name and version of another module's graph. */
export const pause = buildPause("clash");
