/**
 * Values that a dry run does not know: outputs of tasks that it does not call. An expression that looks into one, or
 * passes one on, gives something that is not known either.
 */
import type { Json, JsonObject } from "../../base/json/json.ts";

/** Unknown values of a dry run, and whether one of them was looked into. */
export class Unknowns {
  readonly #made = new WeakSet<object>();
  #isTouched = false;

  /** A new one. It reads as an empty object. */
  create(): JsonObject {
    const touch = (): void => {
      this.#isTouched = true;
    };
    const value = new Proxy<JsonObject>(Object.freeze({}), {
      get: (target, key) => {
        touch();
        return Reflect.get(target, key);
      },
      has: (target, key) => {
        touch();
        return Reflect.has(target, key);
      },
      ownKeys: (target) => {
        touch();
        return Reflect.ownKeys(target);
      },
      getOwnPropertyDescriptor: (target, key) => {
        touch();
        return Reflect.getOwnPropertyDescriptor(target, key);
      },
    });
    this.#made.add(value);
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
      const value = run();
      return this.#isTouched || this.isIn(value) ? undefined : value;
    } catch (error) {
      if (this.#isTouched) return undefined;
      throw error;
    }
  }
}
