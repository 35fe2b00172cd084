import { buildPause } from "./versions.ts";

/** As it was deployed first: without a version. */
export const pause = buildPause("old");
