/**
 * Columns of the rows that a batch sends. A column is declared once: its name and type in the statement, how its value
 * is read from a row, and how its values are sent.
 *
 * Each text column is sent as one string, with its values joined by U+0001, and the server splits it. `string_to_array`
 * costs less on both sides than array literals, which must be quoted here and parsed there. No value can contain
 * U+0001: JSON escapes control characters, and all other text is checked here. Trailing empty values (or zeros) are
 * omitted, so a column that no row uses costs nothing. The server reads missing values as NULL.
 */
import type { Transition } from "../../engine/ports/journal.ts";

/** Reads a value from a row and the transition that writes it. */
export type Read<Row, Value> = (row: Row, transition: Transition) => Value;

/** A column of rows of type `Row`. */
export interface Column<Row> {
  readonly type: "text" | "bool" | "int2" | "int4" | "float8";
  readonly read: Read<Row, string | number | null>;
  /** The most common value, which is omitted at the end of a column; undefined if each row has its own. */
  readonly nothing: string | number | undefined;
  /**
   * How text with U+0000 or U+0001 is handled: `refuse` fails the batch, `replace` writes U+FFFD, `none` means it
   * cannot occur.
   */
  readonly unfit: "refuse" | "replace" | "none";
  /** SQL that an INSERT writes for `value`, the expression that the server has for it. */
  readonly toSql: (value: string) => string;
}

const asIs = (value: string): string => value;
const orEmpty = (value: string): string => `coalesce(${value}, '')`;

/** SQL of a time that was sent as milliseconds; 0 and NULL mean no time. */
export const timeOf = (value: string): string => `CASE WHEN ${value} > 0 THEN to_timestamp(${value} / 1000) END`;

/**
 * Text of any origin. Characters that the server or the encoding cannot hold become U+FFFD; the journal has the
 * original.
 */
export function text<Row>(read: Read<Row, string>): Column<Row> {
  return { type: "text", read, nothing: "", unfit: "replace", toSql: orEmpty };
}

/** Text that must be written exactly or not at all. */
export function exactText<Row>(read: Read<Row, string>): Column<Row> {
  return { type: "text", read, nothing: "", unfit: "refuse", toSql: orEmpty };
}

/** {@link exactText} that is never empty. */
export function id<Row>(read: Read<Row, string>): Column<Row> {
  return { type: "text", read, nothing: undefined, unfit: "refuse", toSql: asIs };
}

/** Text that is never empty and has no control characters, such as JSON or the name of a state. */
export function safeText<Row>(read: Read<Row, string>): Column<Row> {
  return { type: "text", read, nothing: undefined, unfit: "none", toSql: asIs };
}

/** An object as jsonb, NULL when it is empty. */
export function jsonObject<Row>(read: Read<Row, object>): Column<Row> {
  const encode = (row: Row, transition: Transition): string => {
    const value = read(row, transition);
    for (const _ in value) return JSON.stringify(value);
    return "";
  };
  return { type: "text", read: encode, nothing: "", unfit: "none", toSql: (value) => `nullif(${value}, '')::jsonb` };
}

/** JSON that every row has, as jsonb. */
export function json<Row>(read: Read<Row, unknown>): Column<Row> {
  return {
    type: "text",
    read: (row, transition) => JSON.stringify(read(row, transition)),
    nothing: undefined,
    unfit: "none",
    toSql: (value) => `${value}::jsonb`,
  };
}

/** JSON that few rows have, as jsonb; null is NULL. */
export function optionalJson<Row>(read: Read<Row, object | null>): Column<Row> {
  const encode = (row: Row, transition: Transition): string => {
    const value = read(row, transition);
    return value === null ? "" : JSON.stringify(value);
  };
  return { type: "text", read: encode, nothing: "", unfit: "none", toSql: (value) => `nullif(${value}, '')::jsonb` };
}

/** A number that every row has. */
export function number<Row>(type: "int2" | "int4" | "float8", read: Read<Row, number>): Column<Row> {
  return { type, read, nothing: undefined, unfit: "none", toSql: asIs };
}

/** A time that every row has, milliseconds since the epoch. */
export function time<Row>(read: Read<Row, number>): Column<Row> {
  return {
    type: "float8",
    read,
    nothing: undefined,
    unfit: "none",
    toSql: (value) => `to_timestamp(${value} / 1000)`,
  };
}

/** A time that few rows have, milliseconds since the epoch; 0 and null mean none. */
export function optionalTime<Row>(read: Read<Row, number | null>): Column<Row> {
  return { type: "float8", read, nothing: 0, unfit: "none", toSql: timeOf };
}

/** A boolean that every row has. */
export function bool<Row>(read: Read<Row, boolean>): Column<Row> {
  return {
    type: "bool",
    read: (row, transition) => (read(row, transition) ? "t" : "f"),
    nothing: undefined,
    unfit: "none",
    toSql: asIs,
  };
}

/** A boolean that is true for few rows. */
export function flag<Row>(read: Read<Row, boolean>): Column<Row> {
  return {
    type: "bool",
    read: (row, transition) => (read(row, transition) ? "t" : "f"),
    nothing: "f",
    unfit: "none",
    toSql: (value) => `(${value} IS TRUE)`,
  };
}
