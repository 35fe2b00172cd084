import { type FieldViolation, toError } from "../../base/errors.ts";
import { formatPath } from "../../tasks/schema/format-path.ts";
import { MAX_PROBLEMS, type ParsedSource, type Path, type Position } from "./parse.ts";

/** How many expressions a flow may hold. */
const MAX_EXPRESSIONS = 5_000;
/** How many characters all expressions of a flow may have together. Each takes about 2 µs to compile. */
const MAX_EXPRESSION_CHARACTERS = 100_000;

interface Found {
  readonly path: Path;
  readonly description: string | (() => string);
  readonly position: Position | undefined;
}

/** Collects everything that is wrong with a flow, with its places, so that it can be reported together. */
export class Problems {
  private readonly found: Found[] = [];
  private readonly source: ParsedSource;
  /** Places of which the source itself says that something is wrong. */
  private readonly spoiled = new Set<string>();
  private expressions = 0;
  private characters = 0;

  constructor(source: ParsedSource) {
    this.source = source;
    this.found.push(...source.problems);
    for (const { path } of source.problems) if (path.length > 0) this.spoiled.add(path.join("\n"));
  }

  /** Adds a problem. A sentence that costs something to make is given as a function, and made when it is shown. */
  add(path: Path, description: string | (() => string)): void {
    // What the source says of a value makes everything else about that value a consequence.
    if (this.spoiled.size > 0 && path.some((_, index) => this.spoiled.has(path.slice(0, index + 1).join("\n")))) return;
    this.found.push({ path, description, position: this.source.positionOf(path) });
  }

  /** Counts expressions; too many are a problem. */
  countExpressions(count: number, characters: number): void {
    this.expressions += count;
    this.characters += characters;
    if (!this.hasTooManyExpressions) return;
    this.add(
      ["workflow"],
      `the flow has too many expressions; the limits are ${MAX_EXPRESSIONS} expressions and ${MAX_EXPRESSION_CHARACTERS} characters in them`,
    );
  }

  /** Whether no more expressions need to be looked at. */
  get hasTooManyExpressions(): boolean {
    return this.expressions > MAX_EXPRESSIONS || this.characters > MAX_EXPRESSION_CHARACTERS;
  }

  /** How many there are. */
  get count(): number {
    return this.found.length > MAX_PROBLEMS ? this.found.length : this.list().length;
  }

  /** Whether there are none. */
  get isEmpty(): boolean {
    return this.found.length === 0;
  }

  /**
   * The first {@link MAX_PROBLEMS} in the order of the source, then a line that says how many more there are; the same sentence at the same place counts
   * once.
   */
  list(): readonly FieldViolation[] {
    const sorted = this.found.toSorted(
      (a, b) =>
        (a.position?.line ?? 0) - (b.position?.line ?? 0) || (a.position?.column ?? 0) - (b.position?.column ?? 0),
    );
    const listed = new Map<string, FieldViolation>();
    for (const [index, { path, description, position }] of sorted.entries()) {
      if (listed.size === MAX_PROBLEMS) {
        listed.set("", { field: "", description: `and ${sorted.length - index} more` });
        break;
      }
      const violation = {
        field: formatPath(path),
        description: typeof description === "string" ? description : description(),
        ...position,
      };
      listed.set(`${violation.field}\n${violation.description}`, violation);
    }
    return [...listed.values()];
  }

  /** Throws FLOW_INVALID with the violations, if there are any. */
  throwIfAny(): void {
    const all = this.list();
    const [first] = all;
    if (first === undefined) return;
    const place = first.line === undefined ? "" : ` (line ${first.line})`;
    throw toError(
      "FLOW_INVALID",
      { count: this.count, first: `${first.field === "" ? "" : `${first.field}: `}${first.description}${place}` },
      { violations: all },
    );
  }
}
