import type { Transition } from "../../engine/ports/journal.ts";
import type { SqlValue } from "../sql/sql.ts";
import type { Column } from "./columns.ts";

const SEPARATOR = "\u0001";

/** A column with its name in the statement. */
export type NamedColumn<Row> = Column<Row> & { readonly name: string };

/** Rows of one shape that a statement takes as parameters, one parameter per column. */
export interface RowSet<Row> {
  /** Unique in a statement. */
  readonly name: string;
  readonly alias: string;
  readonly columns: readonly NamedColumn<Row>[];
  /**
   * `unnest(…) WITH ORDINALITY AS alias (columns…, place)`. Parameters are placeholders that {@link numberParameters}
   * numbers.
   */
  readonly rows: string;
}

/** Declares a row set. The names of the columns are those in the statement. */
export function defineRows<Row>(
  name: string,
  alias: string,
  declared: Readonly<Record<string, Column<Row>>>,
  options: { readonly ordered?: boolean } = {},
): RowSet<Row> {
  const columns = Object.entries(declared).map(([column, rest]) => ({ name: column, ...rest }));
  const parameters = columns.map(({ name: column, type }) =>
    type === "text" ? `string_to_array($${name}.${column}, E'\\x01')` : `$${name}.${column}::${type}[]`,
  );
  const names = columns.map((column) => column.name);
  const [ordinality, place] = options.ordered === true ? [" WITH ORDINALITY", ["place"]] : ["", []];
  const rows = `unnest(${parameters.join(", ")})${ordinality}\n    AS ${alias} (${[...names, ...place].join(", ")})`;
  return { name, alias, columns, rows };
}

/** A text that no column can hold. */
class UnfitText extends Error {
  override readonly name = "UnfitText";

  constructor(column: string) {
    super(`a text for column ${column} holds U+0000 or U+0001`);
  }
}

const isUnfit = (value: string): boolean => value.includes(SEPARATOR) || value.includes("\0");

/**
 * The rows of a batch, by column. Values stay separate until a column is complete: each string concatenation would
 * allocate an object.
 */
export class RowBuffer<Row> {
  readonly #set: RowSet<Row>;
  readonly #columns: ((string | number)[] | undefined)[];
  #count = 0;

  constructor(set: RowSet<Row>) {
    this.#set = set;
    this.#columns = new Array<undefined>(set.columns.length).fill(undefined);
  }

  /** Throws {@link UnfitText}. */
  add(row: Row, transition: Transition): void {
    const place = this.#count++;
    const { columns } = this.#set;
    for (let index = 0; index < columns.length; index += 1) {
      const column = columns[index];
      if (column === undefined) continue;
      let value = column.read(row, transition);
      if (column.unfit !== "none" && isUnfit(value as string)) {
        if (column.unfit === "refuse") throw new UnfitText(`${this.#set.name}.${column.name}`);
        value = (value as string).replaceAll(/[\0\u0001]/g, "\ufffd");
      }
      const { nothing } = column;
      const values = this.#columns[index];
      if (nothing === undefined) {
        if (values === undefined) this.#columns[index] = [value ?? ""];
        else values.push(value ?? "");
      } else if (value !== null && value !== nothing) {
        const sparse = values ?? (this.#columns[index] = []);
        while (sparse.length < place) sparse.push(nothing);
        sparse.push(value);
      }
    }
  }

  /** Appends one value for each column's parameter. */
  appendTo(values: SqlValue[]): void {
    const { columns } = this.#set;
    for (let index = 0; index < columns.length; index += 1) {
      const column = this.#columns[index];
      if (columns[index]?.type === "text") values.push(column === undefined ? "" : column.join(SEPARATOR));
      else values.push(column === undefined ? "{}" : `{${column.join(",")}}`);
    }
  }
}

/** Throws because the declared names and the text that uses them differ: a bug, found when the statement is created. */
function disagree(statement: string, problem: string): never {
  throw new Error(`statement ${statement}: ${problem}`);
}

/**
 * Numbers the parameters of a statement: `scalars` first, then the columns of each set. Values are sent in the same
 * order; see {@link RowBuffer.appendTo}. Throws if the text uses an undeclared column or does not use a declared one.
 */
export function numberParameters(
  statement: string,
  text: string,
  scalars: readonly string[],
  sets: readonly RowSet<never>[],
): string {
  const names = [
    ...scalars.map((scalar) => `batch.${scalar}`),
    ...sets.flatMap(({ name, columns }) => columns.map((column) => `${name}.${column.name}`)),
  ];
  const numbers = new Map(names.map((name, index) => [name, index + 1]));
  if (numbers.size < names.length) disagree(statement, "two parameters share a name");
  const used = new Set<string>();
  const numbered = text.replaceAll(/\$([a-z_]+\.[a-z_]+)/g, (_, name: string) => {
    used.add(name);
    return `$${numbers.get(name) ?? disagree(statement, `${name} is not declared`)}`;
  });
  const unused = names.find((name) => !used.has(name));
  if (unused !== undefined) disagree(statement, `${unused} is not used`);
  return numbered;
}
