/** What the descriptions of merged interfaces have in common: pieces of OpenAPI. */

export type Schema = Readonly<Record<string, unknown>>;

/** Paths and components that a document of OpenAPI takes in. */
export interface OpenapiPart {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Schema>>>>;
  readonly components: {
    readonly schemas: Readonly<Record<string, Schema>>;
    readonly responses: Readonly<Record<string, Schema>>;
  };
}

export const text = (description: string, more: Schema = {}): Schema => ({ type: "string", description, ...more });
export const count = (description: string): Schema => ({ type: "integer", minimum: 0, description });
export const time = (description: string): Schema => ({ type: ["string", "null"], format: "date-time", description });
export const list = (items: Schema): Schema => ({ type: "array", items });
export const json = (schema: Schema): Schema => ({ "application/json": { schema } });

/** An object; properties are required unless they are named as optional. */
export function object(properties: Readonly<Record<string, Schema>>, optional: readonly string[] = []): Schema {
  return { type: "object", properties, required: Object.keys(properties).filter((name) => !optional.includes(name)) };
}

/** A part of a path. */
export function pathPart(name: string, description: string, more: Schema = {}): Schema {
  return { name, in: "path", required: true, description, schema: { type: "string", minLength: 1, ...more } };
}

/** A name of a query. */
export function query(name: string, description: string, schema: Schema = { type: "string" }): Schema {
  return { name, in: "query", description, schema };
}

export const KEY: Schema = {
  ...{ name: "Idempotency-Key", in: "header", schema: { type: "string", pattern: "^[!-~]{0,128}$" } },
  description: "Makes a repeated request return the first answer.",
};

/** Statuses of errors. Those that need a body or a change are refused for others as well, by proxies for instance. */
export const ERROR_STATUSES = [400, 403, 404, 405, 408, 409, 413, 415, 429, 431, 499, 500, 501, 503, 504];
