/**
 * What is said about a task and waits to be sent together. A new word replaces the one before it of the same kind, and
 * any word is a sign of life: a handler that ends at once is one report.
 */
import type { TaskReport } from "../../../gen/typescript/connect/v1.js";

/** What is said about a task. */
export type TaskEvent = TaskReport["event"];

/** How many lines the service takes at once. */
const MAX_LINES = 50;

/** Words that only say that the task is alive, as any other does. */
const SIGNS: ReadonlySet<TaskEvent["case"]> = new Set(["acknowledged", "alive"]);
const ENDS: ReadonlySet<TaskEvent["case"]> = new Set(["succeeded", "failed", "stopped", "handedBack", "detached"]);
/** Words for those who watch: they are not sent again. */
const EPHEMERAL: ReadonlySet<TaskEvent["case"]> = new Set(["progress", "log"]);

/** See the top of the file. */
export class Words {
  /** In the order in which they are sent. */
  #waiting: TaskEvent[] = [];

  get areWaiting(): boolean {
    return this.#waiting.length > 0;
  }

  add(event: TaskEvent): void {
    if (event.case === "alive" && this.#waiting.length > 0) return;
    if (event.case === "log" && this.#waiting.length >= MAX_LINES) return;
    if (this.#waiting.length > 0)
      this.#waiting = this.#waiting.filter(
        (one) => !SIGNS.has(one.case) && (one.case !== event.case || event.case === "log"),
      );
    this.#waiting.push(event);
  }

  /** Takes the first `most`. */
  take(most: number): readonly TaskEvent[] {
    return this.#waiting.splice(0, most);
  }

  /** An event goes again, before what was said since. What is for watchers only is lost, and a newer word stands. */
  again(event: TaskEvent): void {
    const later = this.#waiting;
    if (EPHEMERAL.has(event.case) || later.some((one) => one.case === event.case)) return;
    if (SIGNS.has(event.case) && later.length > 0) return;
    later.unshift(event);
  }
}

/** Whether nothing can be said about a task after the event. */
export function isEnd(event: TaskEvent): boolean {
  return ENDS.has(event.case);
}
