/** Problems of a request as FastAPI and pydantic tell them: `{"detail": [{loc, msg, type}]}` with 422. */
import type { Json, JsonObject } from "../../../base/json/json.ts";
import { type Answer, answer } from "../exchange.ts";

/** Where a problem is: `["body", "budget", "max_tokens"]`. */
export type Place = readonly (string | number)[];

/** A problem. */
export interface Problem {
  readonly loc: Place;
  readonly msg: string;
  readonly type: string;
  readonly ctx?: Readonly<Record<string, string>>;
}

/** The answer to a request with problems. */
export function answerProblems(detail: readonly Problem[]): Answer {
  return answer(422, { detail });
}

/** Reads values of a body as pydantic does, and notes what is wrong with them. */
export interface Reader {
  readonly problems: readonly Problem[];
  note(loc: Place, type: string, msg: string): undefined;
  text(value: Json | undefined, loc: Place, maxCharacters: number): string | undefined;
  texts(value: Json | undefined, loc: Place, maxItems: number, maxCharacters: number): readonly string[] | undefined;
  choice(value: Json | undefined, loc: Place, choices: readonly string[]): string | undefined;
  object(value: Json | undefined, loc: Place): JsonObject | undefined;
  /** A number, or text that is one, as pydantic takes it; true and false are 1 and 0. */
  number(value: Json | undefined, loc: Place, min: number, max: number): number | undefined;
  /** As `number`, without a fraction. */
  integer(value: Json | undefined, loc: Place, min: number, max: number): number | undefined;
}

/** Begins to read a body. */
export function createReader(): Reader {
  const problems: Problem[] = [];
  const note = (loc: Place, type: string, msg: string): undefined => {
    problems.push({ loc, msg, type });
    return undefined;
  };

  const text: Reader["text"] = (value, loc, maxCharacters) => {
    if (typeof value !== "string") return note(loc, "string_type", "Input should be a valid string");
    if (value.length > maxCharacters && [...value].length > maxCharacters)
      return note(loc, "string_too_long", `String should have at most ${maxCharacters} characters`);
    if (value.includes("\0")) return note(loc, "string_pattern_mismatch", "String should not contain U+0000");
    return value;
  };

  const bounded = (value: number, loc: Place, min: number, max: number): number | undefined => {
    if (value < min) return note(loc, "greater_than_equal", `Input should be greater than or equal to ${min}`);
    if (value > max) return note(loc, "less_than_equal", `Input should be less than or equal to ${max}`);
    return value;
  };

  const parse = (value: Json | undefined, loc: Place, kind: "float" | "int", name: string): number | undefined => {
    if (typeof value === "number") return value;
    if (typeof value === "boolean") return Number(value);
    if (typeof value !== "string") return note(loc, `${kind}_type`, `Input should be a valid ${name}`);
    const parsed = /^\s*[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?\s*$/i.test(value) ? Number(value) : Number.NaN;
    if (Number.isFinite(parsed)) return parsed;
    return note(loc, `${kind}_parsing`, `Input should be a valid ${name}, unable to parse string as a ${name}`);
  };

  return {
    problems,
    note,
    text,
    texts(value, loc, maxItems, maxCharacters) {
      if (!Array.isArray(value)) return note(loc, "list_type", "Input should be a valid list");
      if (value.length > maxItems)
        return note(
          loc,
          "too_long",
          `List should have at most ${maxItems} items after validation, not ${value.length}`,
        );
      return value.flatMap((item: Json, at) => text(item, [...loc, at], maxCharacters) ?? []);
    },
    choice(value, loc, choices) {
      if (typeof value === "string" && choices.includes(value)) return value;
      const quoted = choices.map((choice) => `'${choice}'`);
      return note(loc, "enum", `Input should be ${quoted.slice(0, -1).join(", ")} or ${quoted.at(-1)}`);
    },
    object(value, loc) {
      if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as JsonObject;
      return note(loc, "dict_type", "Input should be a valid dictionary");
    },
    number(value, loc, min, max) {
      const parsed = parse(value, loc, "float", "number");
      return parsed === undefined ? undefined : bounded(parsed, loc, min, max);
    },
    integer(value, loc, min, max) {
      const parsed = parse(value, loc, "int", "integer");
      if (parsed === undefined) return undefined;
      if (!Number.isInteger(parsed))
        return note(loc, "int_from_float", "Input should be a valid integer, got a number with a fractional part");
      return bounded(parsed, loc, min, max);
    },
  };
}
