/** What a worker can do: the lines that it serves, and the labels that tasks may ask for. */
import type { Line } from "../ports/dispatch/hand-overs.ts";

/** What a worker has said that it can do. */
export interface SkillsGiven {
  readonly queues: readonly string[];
  readonly handlers: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly buildId: string;
}

/** The skills of a worker. */
export class Skills {
  readonly lines: readonly Line[];
  /** Empty: it has none. */
  readonly buildId: string;
  readonly #labels: ReadonlySet<string>;

  constructor(tenantId: string, { queues, handlers, labels, buildId }: SkillsGiven) {
    this.lines = queues.flatMap((queue) => handlers.map((handler) => ({ tenantId, queue, handler })));
    this.buildId = buildId;
    this.#labels = new Set(Object.entries(labels).map(([key, value]) => `${key}=${value}`));
  }

  /** Whether it has all of these labels, which are in the form of a labeled line. */
  has(labels: string): boolean {
    return labels === "" || labels.split(",").every((label) => this.#labels.has(label));
  }
}

/** The skills of a worker that has not introduced itself. */
export const NO_SKILLS = new Skills("", { queues: [], handlers: [], labels: {}, buildId: "" });
