import { type FieldViolation, toError } from "../../base/errors.ts";
import { formatPath } from "../../tasks/schema/format-path.ts";
import { MAX_PROBLEMS, type ParsedSource, type Path, type Position } from "./parse.ts";

/** Maximum number of expressions in a flow. */
const MAX_EXPRESSIONS = 5_000;
/** Maximum number of characters of all expressions of a flow together. Each takes about 2 µs to compile. */
const MAX_EXPRESSION_CHARACTERS = 100_000;

interface Found {
  readonly path: Path;
  readonly description: string | (() => string);
  readonly position: Position | undefined;
}

/** Collects all problems of a flow with their positions, so that they are reported together. */
export class Problems {
  private readonly found: Found[] = [];
  private readonly source: ParsedSource;
  /** Places for which the source itself reports a problem. */
  private readonly spoiled = new Set<string>();
  private expressions = 0;
  private characters = 0;

  constructor(source: ParsedSource) {
    this.source = source;
    this.found.push(...source.problems);
    for (const { path } of source.problems) if (path.length > 0) this.spoiled.add(path.join("\n"));
  }

  /**
   * Adds a problem. A description that is expensive to create is passed as a function, which runs only if it is shown.
   */
  add(path: Path, description: string | (() => string)): void {
    // If the source reports a problem with a value, all other problems of that value are consequences.
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

  /** Whether further expressions can be skipped. */
  get hasTooManyExpressions(): boolean {
    return this.expressions > MAX_EXPRESSIONS || this.characters > MAX_EXPRESSION_CHARACTERS;
  }

  get count(): number {
    return this.found.length > MAX_PROBLEMS ? this.found.length : this.list().length;
  }

  get isEmpty(): boolean {
    return this.found.length === 0;
  }

  /**
   * Returns the first {@link MAX_PROBLEMS} in source order, then a line with the number of the rest. The same
   * description at the same place counts once.
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
