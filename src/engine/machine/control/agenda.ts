/**
 * The agenda of a run: the places that may be able to make progress, in an order that depends on the state alone (nodes
 * in document order, then groups by path). The order in which places were added does not show, so a run that is rebuilt
 * from its journal behaves like one that never left memory.
 */

/** A node of a DAG (its index) or a group (its path). */
export type Place = number | string;

/** A heap of places. A place may be on it more than once; visiting it again finds nothing to do. */
export class Agenda {
  readonly #heap: Place[] = [];

  /** Adds a place to the agenda. */
  add(place: Place): void {
    const heap = this.#heap;
    if (heap[0] === place) return;
    let at = heap.length;
    heap.push(place);
    while (at > 0) {
      const up = (at - 1) >> 1;
      const parent = heap[up] as Place;
      if (!isBefore(place, parent)) break;
      heap[at] = parent;
      at = up;
    }
    heap[at] = place;
  }

  /** Removes and returns the first place, or undefined when the agenda is empty. */
  take(): Place | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return first;
    let at = 0;
    for (let down = 1; down < heap.length; down = 2 * at + 1) {
      if (down + 1 < heap.length && isBefore(heap[down + 1] as Place, heap[down] as Place)) down += 1;
      if (!isBefore(heap[down] as Place, last)) break;
      heap[at] = heap[down] as Place;
      at = down;
    }
    heap[at] = last;
    return first;
  }
}

function isBefore(a: Place, b: Place): boolean {
  return typeof a === typeof b ? a < b : typeof a === "number";
}
