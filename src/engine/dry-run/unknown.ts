/**
 * Values that a dry run does not know: outputs of tasks that it does not call. An expression that looks into one, or
 * passes one on, gives something that is not known either. What the schema of a value fixes is known: that it is an
 * object, which of its fields are always there, and fields that can have one value only.
 */
import { isJsonObject, type Json, type JsonObject } from "../../base/json/json.ts";
import { withReads } from "../../flows/expressions/values/json.ts";

/** What is known of an object. */
interface Shape {
  readonly fields: ReadonlyMap<string, Json>;
  /** Fields that are always there. */
  readonly required: ReadonlySet<string>;
  /** There are no other fields. */
  readonly isClosed: boolean;
}

/** Unknown values of a dry run, and whether one of them was looked into. */
export class Unknowns {
  /** Every unknown value, with what is known of it. */
  readonly #made = new WeakMap<object, Shape | null>();
  #isTouched = false;

  /** A value of a schema, or of any form. It is known if the schema leaves only one. */
  create(schema?: JsonObject): Json {
    const only = onlyOf(schema);
    if (only !== undefined) return only;
    const shape = this.#shapeOf(schema);
    const touch = (): undefined => {
      this.#isTouched = true;
    };
    // `undefined`: that is not known.
    const isThere = (key: string | symbol): boolean | undefined => {
      if (typeof key !== "string" || shape === null) return undefined;
      if (shape.required.has(key)) return true;
      return shape.isClosed && !shape.fields.has(key) ? false : undefined;
    };
    const read = (key: string | symbol): Json | undefined => {
      const there = isThere(key);
      if (there === undefined) return touch();
      return there ? this.#fieldOf(shape as Shape, key as string) : undefined;
    };
    const value = new Proxy<JsonObject>(
      {},
      {
        get: (_, key) => read(key),
        has: (_, key) => isThere(key) ?? touch() ?? false,
        ownKeys: () => touch() ?? [],
        getOwnPropertyDescriptor: (_, key) => {
          const inner = read(key);
          return inner === undefined
            ? undefined
            : { value: inner, configurable: true, enumerable: true, writable: false };
        },
        set: () => false,
        defineProperty: () => false,
      },
    );
    this.#made.set(value, shape);
    return value;
  }

  isUnknown(value: Json): boolean {
    return typeof value === "object" && value !== null && this.#made.has(value);
  }

  /** Whether an unknown value is this one, or inside it. */
  isIn(value: Json): boolean {
    if (typeof value !== "object" || value === null) return false;
    if (this.#made.has(value)) return true;
    return Object.values(value as JsonObject).some((inner) => this.isIn(inner));
  }

  /** Evaluates something. Undefined: what it gives is not known; so is an error that comes of an unknown value. */
  evaluate<T extends Json>(run: () => T): T | undefined {
    this.#isTouched = false;
    try {
      const value = withReads((read) => this.#noteRead(read), run);
      return this.#isTouched || this.isIn(value) ? undefined : value;
    } catch (error) {
      if (this.#isTouched) return undefined;
      throw error;
    }
  }

  /** A value that may have any form decides by its form alone: `output == null`. */
  #noteRead(value: object): void {
    if (this.#made.get(value) === null) this.#isTouched = true;
  }

  #shapeOf(schema: JsonObject | undefined): Shape | null {
    if (schema === undefined || schema["type"] !== "object" || OPEN.some((key) => schema[key] !== undefined))
      return null;
    const { properties = {}, required, additionalProperties } = schema;
    const names = Array.isArray(required) ? required.filter((name) => typeof name === "string") : [];
    return {
      fields: new Map(isJsonObject(properties) ? Object.entries(properties) : []),
      required: new Set(names),
      isClosed: additionalProperties === false,
    };
  }

  #fieldOf({ fields }: Shape, key: string): Json {
    const schema = fields.get(key);
    return this.create(schema !== undefined && isJsonObject(schema) ? schema : undefined);
  }
}

/** Keywords that say more of an object than this file reads. */
const OPEN = ["$ref", "$dynamicRef", "patternProperties"] as const;

/** The only value that a schema allows; undefined: there may be several. */
function onlyOf(schema: JsonObject | undefined): Json | undefined {
  if (schema === undefined || OPEN.some((key) => schema[key] !== undefined)) return undefined;
  const { const: one, enum: some, type } = schema;
  if (one !== undefined) return one;
  if (Array.isArray(some) && some.length === 1) return some[0] as Json;
  return type === "null" ? null : undefined;
}
