/**
 * Checks of values that come from outside as objects, written as straight code: each check of a field returns the name
 * of the field when it is wrong, else null, and `??` goes on to the next.
 *
 *     fieldChecks<{ order: Order }>()({
 *       order: (value) => time("at", value.at) ?? text("name", value.name) ?? optional("note", value.note, text),
 *     });
 *
 * Why not a list of fields, each with its check: that reads every field by a name that is known only at run time, which
 * takes four times as long (bench/row-checks.ts).
 */
import { isValidTime } from "./time/time-range.ts";

/** The fields of a `T` before they are checked. */
export type Unchecked<T> = { readonly [Key in keyof Required<T>]: unknown };

/** The check of one field. Returns the given name when the value is wrong, or null. */
export type FieldCheck = <Name extends string>(name: Name, value: unknown) => Name | null;

type NamedBy<Check> = Check extends (value: never) => infer Named ? Named : never;

/** What the checks of some shapes are, when each names every field of its shape. */
type Complete<Shapes, Checks> = {
  readonly [Shape in keyof Shapes & keyof Checks]: [Exclude<keyof Shapes[Shape], NamedBy<Checks[Shape]>>] extends [
    never,
  ]
    ? unknown
    : { readonly forgotten: Exclude<keyof Shapes[Shape], NamedBy<Checks[Shape]>> };
};

/**
 * Declares the checks of some shapes. A check that leaves out a field of its shape does not compile: the compiler says
 * which is `forgotten`. Fields that a shape does not have pass.
 */
export function fieldChecks<Shapes extends object>() {
  return <
    Checks extends {
      readonly [Shape in keyof Shapes]: (value: Unchecked<Shapes[Shape]>) => keyof Shapes[Shape] | null;
    },
  >(
    checks: Checks & Complete<Shapes, Checks>,
  ): Checks => checks;
}

/** Returns true for an object that is no list. */
export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Any text. */
export function text<Name extends string>(name: Name, value: unknown): Name | null {
  return typeof value === "string" ? null : name;
}

/** A boolean. */
export function flag<Name extends string>(name: Name, value: unknown): Name | null {
  return typeof value === "boolean" ? null : name;
}

/** An integer of the contract that is not negative. */
export function count<Name extends string>(name: Name, value: unknown): Name | null {
  return typeof value === "number" && (value | 0) === value && value >= 0 ? null : name;
}

/** A number that is finite and not negative. */
export function duration<Name extends string>(name: Name, value: unknown): Name | null {
  return typeof value === "number" && value >= 0 && value < Number.POSITIVE_INFINITY ? null : name;
}

/** A time in milliseconds since the epoch that the contract can represent. */
export function time<Name extends string>(name: Name, value: unknown): Name | null {
  return isValidTime(value) ? null : name;
}

/** Any value of JSON. */
export function json<Name extends string>(name: Name, value: unknown): Name | null {
  return value === undefined ? name : null;
}

/** Any object that is no list. */
export function object<Name extends string>(name: Name, value: unknown): Name | null {
  return isObject(value) ? null : name;
}

/** Any list. */
export function list<Name extends string>(name: Name, value: unknown): Name | null {
  return Array.isArray(value) ? null : name;
}

/** A field that may be missing. */
export function optional<Name extends string>(name: Name, value: unknown, check: FieldCheck): Name | null {
  return value === undefined ? null : check(name, value);
}

/** A field that may be null. */
export function orNull<Name extends string>(name: Name, value: unknown, check: FieldCheck): Name | null {
  return value === null ? null : check(name, value);
}

/** One of a few texts. */
export function oneOf(...texts: readonly string[]): FieldCheck {
  const known: readonly unknown[] = texts;
  return (name, value) => (known.includes(value) ? null : name);
}

/** A list whose elements pass. */
export function listOf(check: FieldCheck): FieldCheck {
  return (name, value) =>
    Array.isArray(value) && value.every((element) => check(name, element) === null) ? null : name;
}

/** An object whose fields pass. */
export function objectOf(check: (value: never) => string | null): FieldCheck {
  return (name, value) => (isObject(value) && check(value as never) === null ? null : name);
}

/** An object of one of several shapes, by its `kind`. */
export function kindOf(shapes: Readonly<Record<string, (value: never) => string | null>>): FieldCheck {
  const checks = new Map<unknown, (value: never) => string | null>(Object.entries(shapes));
  return (name, value) => (isObject(value) && checks.get(value.kind)?.(value as never) === null ? null : name);
}
