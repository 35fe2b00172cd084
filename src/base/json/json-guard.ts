/**
 * Checks an object or a list of JSON text during the scan. It sees the keys or the elements in order, each with its
 * position from 0. It throws to refuse one, and returns the guard of its value, or null when any value is allowed.
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

/** Applies guards to a text, token by token. Nothing is stored below a value without a guard. */
export class JsonGuards {
  readonly #source: string;
  readonly #frames: Frame[] = [];
  /** Number of open objects and lists; those deeper than the frames have no guard. */
  #depth = 0;
  /** The guard of the next value. */
  #next: JsonGuard | null;
  #textStart = 0;
  #textEnd = 0;

  constructor(source: string, root: JsonGuard) {
    this.#source = source;
    this.#next = root;
  }

  /** A string whose characters span `start` to `end`. */
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
    // The guard of an empty list is never used.
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

  /** Returns the innermost object or list, if it has a guard. */
  #frame(): Frame | null {
    return this.#depth === this.#frames.length ? (this.#frames.at(-1) ?? null) : null;
  }

  #readText(): string {
    const text = this.#source.slice(this.#textStart, this.#textEnd);
    if (!text.includes("\\")) return text;
    try {
      return JSON.parse(`"${text}"`) as string;
    } catch {
      // The parser reports the position.
      return text;
    }
  }
}
