/** A JSON value. Objects are plain; values from outside have passed {@link checkJson} or `parseJson` first. */
export type Json = null | boolean | number | string | readonly Json[] | JsonObject;

/** A JSON object. */
export interface JsonObject {
  readonly [key: string]: Json;
}
