import { buildPause } from "./versions.ts";

/** Version of the graphs of this module. */
export const version = "2";
/** The same name, another graph. */
export const pause = buildPause("new");
