/** A JSON value. Objects are plain; what comes from outside has passed {@link checkJson} or `parseJson` first. */
export type Json = null | boolean | number | string | readonly Json[] | JsonObject;

/** A JSON object. */
export interface JsonObject {
  readonly [key: string]: Json;
}
