/**
 * Watches over an object or a list of JSON text while it is looked over. It sees the keys or the elements in their order, each with its place from 0; throws to
 * refuse one; and returns the guard of its value, null when any value will do.
 */
export interface JsonGuard {
  key(name: string, index: number): JsonGuard | null;
  element(index: number): JsonGuard | null;
}

interface Frame {
  readonly guard: JsonGuard;
  readonly isList: boolean;
  index: number;
}

/** Leads guards through a text whose tokens come one after the other. Below a value that has no guard nothing is kept. */
export class JsonGuards {
  readonly #source: string;
  readonly #frames: Frame[] = [];
  /** Objects and lists that are open; those beyond the frames have no guard. */
  #depth = 0;
  /** The guard of the value that comes next. */
  #next: JsonGuard | null;
  #textStart = 0;
  #textEnd = 0;

  constructor(source: string, root: JsonGuard) {
    this.#source = source;
    this.#next = root;
  }

  /** A string whose characters lie from `start` to `end`. */
  text(start: number, end: number): void {
    this.#textStart = start;
    this.#textEnd = end;
  }

  open(isList: boolean): void {
    const guard = this.#next;
    this.#next = null;
    const isGuarded = guard !== null && this.#depth === this.#frames.length;
    this.#depth += 1;
    if (!isGuarded) return;
    this.#frames.push({ guard, isList, index: 0 });
    // That of an empty list is never used.
    if (isList) this.#next = guard.element(0);
  }

  close(): void {
    this.#depth -= 1;
    if (this.#frames.length > this.#depth) this.#frames.pop();
    this.#next = null;
  }

  colon(): void {
    const frame = this.#frame();
    if (frame === null || frame.isList) return;
    this.#next = frame.guard.key(this.#readText(), frame.index);
    frame.index += 1;
  }

  comma(): void {
    const frame = this.#frame();
    if (frame === null || !frame.isList) return;
    frame.index += 1;
    this.#next = frame.guard.element(frame.index);
  }

  /** The innermost object or list, if it has a guard. */
  #frame(): Frame | null {
    return this.#depth === this.#frames.length ? (this.#frames.at(-1) ?? null) : null;
  }

  #readText(): string {
    const text = this.#source.slice(this.#textStart, this.#textEnd);
    if (!text.includes("\\")) return text;
    try {
      return JSON.parse(`"${text}"`) as string;
    } catch {
      // The parser finds the place.
      return text;
    }
  }
}
