/**
 * Versions of the journal format. A kind of record is written only when
 *
 * - every live instance can read it, so that entities can move between two releases during a rolling upgrade: each
 *   instance registers the version that it reads; and
 * - the upgrade is finalized, so that the release before can be started again until then: an instance that reads less
 *   than the finalized version does not register.
 */
import type { JournalVersions } from "../../ports/leases.ts";
import type { EntityRecord } from "../kind.ts";

/** Version that this build reads and writes. Each release that adds types of records raises it by one. */
export const JOURNAL_VERSION = 5;

/** The format of this build. */
export interface JournalFormat {
  version: number;
  /** The version that introduced each type of record. Other types belong to the first version. */
  since: Partial<Record<string, number>>;
  /**
   * The same for a field of an older type, by `type.field`, where a reader that does not know it would go wrong, and no
   * record of a new type comes along.
   */
  fieldsSince: Partial<Record<string, number>>;
}

/** What this build reads and writes. */
export const FORMAT: JournalFormat = {
  version: JOURNAL_VERSION,
  // Tasks that workers do.
  since: {
    "task.scheduled": 2,
    "task.started": 2,
    "task.returned": 2,
    "task.checkpointed": 2,
    "task.detached": 2,
    // Tasks and runs under limits.
    "run.limited": 3,
    "task.limited": 3,
    "run.budget_warned": 3,
    // Databases that were restored from a backup.
    "run.restored": 5,
  },
  fieldsSince: {
    // A delayed start asks for its slot only when its time has come, perhaps at another instance.
    "run.started.limit": 3,
    // An instance that does not know that the gate asks would make a call that was rejected.
    "task.suspended.gate": 4,
    // An instance that counts from 1 would take the journal for one with a gap.
    "run.started.sequence": 5,
  },
};

/** The version that a record needs, and what needs it. */
function needOf(record: EntityRecord): { readonly what: string; readonly since: number } {
  const { type } = record;
  let need = { what: type, since: FORMAT.since[type] ?? 1 };
  for (const [what, since = 1] of Object.entries(FORMAT.fieldsSince)) {
    const field = what.slice(type.length + 1);
    if (since > need.since && what.startsWith(`${type}.`) && field in record) need = { what, since };
  }
  return need;
}

/** A record that may not be written yet. */
export class NotWritableYet extends Error {
  override readonly name = "NotWritableYet";
  /** What may not be written: a type of records, or a field of one. */
  readonly what: string;
  /** Every live instance can read it, and the upgrade is not finalized. */
  readonly readable: boolean;

  constructor(what: string, since: number, { reads, finalized }: JournalVersions) {
    const readable = reads >= since;
    const why = readable ? `the journal is finalized to version ${finalized}` : `an instance reads version ${reads}`;
    super(`${what} belongs to version ${since} of the journal's format, and ${why}`);
    this.what = what;
    this.readable = readable;
  }
}

/** What can be written now. */
export class WritableFormat {
  #versions: JournalVersions = { reads: JOURNAL_VERSION, finalized: JOURNAL_VERSION };
  #onRaised: () => void = () => {};

  /** The newest version that may be written. */
  get version(): number {
    return Math.min(this.#versions.reads, this.#versions.finalized);
  }

  /** Sets the limits. If {@link WritableFormat.version} rises, the listener is called. */
  limitTo(versions: JournalVersions): void {
    const before = this.version;
    this.#versions = versions;
    if (this.version > before) this.#onRaised();
  }

  onRaised(listener: () => void): void {
    this.#onRaised = listener;
  }

  /** Throws {@link NotWritableYet}; the caller abandons the transition. */
  check(records: readonly EntityRecord[]): void {
    if (this.version >= FORMAT.version) return;
    for (const record of records) {
      const { what, since } = needOf(record);
      if (since > this.version) throw new NotWritableYet(what, since, this.#versions);
    }
  }
}
