/**
 * Shards and their owners.
 *
 * An instance is alive until its row in `instances` expires. It owns a shard while the lease row names it, and every
 * change of owner raises the epoch. Batches lock lease rows FOR SHARE and a takeover updates them. The takeover
 * therefore waits for the batches of the old owner, and later batches find another epoch.
 */
import { randomUUID } from "node:crypto";
import { readFileSync, readlinkSync } from "node:fs";
import { hostname, networkInterfaces } from "node:os";
import { fail, invariant } from "../base/errors.ts";
import { isAlive } from "../base/process/is-alive.ts";
import type { ClusterView, OtherInstance } from "../engine/ports/cluster.ts";
import type { Lease, Leases, RaisedLease, TakenLease } from "../engine/ports/leases.ts";
import { isSameDatabase, readDatabaseIdentity } from "./database-identity.ts";
import type { Database } from "./sql/pool.ts";
import { prepared, spanMs } from "./sql/sql.ts";
import { readJournalVersion } from "./upgrades.ts";

/** Identity of this instance, and how long it lives without renewal. */
export interface LeaseOptions {
  readonly instanceId: string;
  /** Address at which other instances reach this one, host:port. */
  readonly address: string;
  readonly ttlMs: number;
  /** Number of shards of a new database; an existing one keeps its number. */
  readonly shards: number;
  /**
   * No other instance can be alive on this database (we hold the lock of its folder): instances that are still
   * registered are dead.
   */
  readonly alone: boolean;
  /** Journal format version that this instance reads. */
  readonly reads: number;
  /** The release that this instance runs. */
  readonly release: string;
}

/** No sequence of a restored database begins beyond: the rest of the 32 bits is for what follows. */
const MAX_SEQUENCE_BASE = 1_500_000_000;

/** Channel on which instances announce that shards are free or must be shared. */
const CHANNEL = "orchestrator_leases";

interface Survey {
  readonly renewed: boolean;
  readonly now: number;
  /** Number of shards that each living instance should own. */
  readonly share: number;
  /** Shards without an owner or with a dead one. */
  readonly free: number;
  /** Lowest journal format version that any living instance reads. */
  readonly reads: number;
  /** Journal format version that the database is finalized to. */
  readonly finalized: number;
  readonly held: readonly Lease[];
  /** Other instances that are alive or own shards. */
  readonly others: readonly OtherInstance[];
  /** Sum of the epochs of all shards. */
  readonly epochs: number;
  /** Other instances on this machine. */
  readonly neighbours: readonly { readonly id: string; readonly pid: number }[];
}

const INSERT_SETTINGS = prepared(
  "leases.settings",
  `INSERT INTO orchestrator.settings (name, value)
  VALUES ('shards', $1), ('journal_version', $2), ('database_identity', $3), ('sequence_base', '0') ON CONFLICT DO NOTHING`,
);
const READ_SETTINGS = prepared(
  "leases.read_settings",
  `SELECT max(value) FILTER (WHERE name = 'shards')::int AS shards,
    max(value) FILTER (WHERE name = 'sequence_base') AS "sequenceBase",
    max(value) FILTER (WHERE name = 'database_identity') AS identity FROM orchestrator.settings`,
);
const CREATE_SHARDS = prepared(
  "leases.create",
  "INSERT INTO orchestrator.shard_leases (shard) SELECT generate_series(0, $1::int - 1) ON CONFLICT DO NOTHING",
);
// The lock keeps an instance that cannot read the journal from registering while an upgrade is finalized.
const REGISTER = prepared(
  "leases.register",
  `WITH journal AS (SELECT value::int AS version FROM orchestrator.settings WHERE name = 'journal_version' FOR SHARE),
  former AS (SELECT expires_at FROM orchestrator.instances WHERE instance_id = $1)
  INSERT INTO orchestrator.instances (instance_id, address, host, pid, reads, expires_at, leaving, release)
  SELECT $1, $2, $3, $4, $6::int, clock_timestamp() + $5::float8 * interval '1 millisecond', $7, $8
  FROM journal WHERE version <= $6::int
  ON CONFLICT (instance_id) DO UPDATE
  SET address = excluded.address, host = excluded.host, pid = excluded.pid, reads = excluded.reads, expires_at = excluded.expires_at, leaving = $7,
    release = excluded.release
  RETURNING (SELECT extract(epoch FROM clock_timestamp() - expires_at)::float8 * 1000 FROM former) AS "formerEndedMs"`,
);
const LEAVE = prepared("leases.leave", "UPDATE orchestrator.instances SET leaving = true WHERE instance_id = $1");
const RENEW = prepared(
  "leases.renew",
  `UPDATE orchestrator.instances SET expires_at = clock_timestamp() + $2::float8 * interval '1 millisecond'
  WHERE instance_id = $1 AND expires_at > clock_timestamp()`,
);
// Everything that the lease renewer needs, in one query. Most renewals find nothing to do.
const ALIVE = `alive AS (SELECT instance_id, reads, leaving FROM orchestrator.instances WHERE expires_at > clock_timestamp() OR instance_id = $1)`;
const SEEN = `(SELECT min(reads) FROM alive) AS reads,
    (SELECT value::int FROM orchestrator.settings WHERE name = 'journal_version') AS finalized, extract(epoch FROM clock_timestamp())::float8 * 1000 AS now,
    ceil((SELECT count(*) FROM orchestrator.shard_leases)::float8 / greatest(1, (SELECT count(*) FROM alive WHERE NOT leaving)))::int AS share,
    (SELECT count(*) FROM orchestrator.shard_leases WHERE instance_id IS NULL OR instance_id NOT IN (SELECT instance_id FROM alive))::int AS free,
    (SELECT coalesce(json_agg(json_build_object('shard', shard, 'epoch', epoch) ORDER BY shard), '[]') FROM orchestrator.shard_leases WHERE instance_id = $1) AS held,
    (SELECT coalesce(json_agg(json_build_object('id', instance_id, 'address', address, 'leaving', leaving,
      'owns', instance_id IN (SELECT instance_id FROM orchestrator.shard_leases),
      'shards', (SELECT coalesce(json_agg(l.shard), '[]') FROM orchestrator.shard_leases l WHERE l.instance_id = i.instance_id))), '[]') FROM orchestrator.instances i
      WHERE instance_id <> $1 AND (expires_at > clock_timestamp() OR instance_id IN (SELECT instance_id FROM orchestrator.shard_leases))) AS others,
    (SELECT sum(epoch)::float8 FROM orchestrator.shard_leases) AS epochs,
    (SELECT coalesce(json_agg(json_build_object('id', instance_id, 'pid', pid)), '[]') FROM orchestrator.instances WHERE host = $2 AND instance_id <> $1) AS neighbours`;
const SURVEY = prepared("leases.survey", `WITH ${ALIVE} SELECT true AS renewed, ${SEEN}`);
const RENEW_AND_SURVEY = prepared(
  "leases.renew_and_survey",
  `WITH renewed AS (
    UPDATE orchestrator.instances SET expires_at = clock_timestamp() + $3::float8 * interval '1 millisecond'
    WHERE instance_id = $1 AND expires_at > clock_timestamp() RETURNING instance_id
  ), ${ALIVE}
  SELECT EXISTS (SELECT FROM renewed) AS renewed, ${SEEN}`,
);
const SIGN_OFF = prepared("leases.sign_off", "DELETE FROM orchestrator.instances WHERE instance_id = $1");
// The row of an instance that died says when, so it stays as long as a shard names it.
const OWNS_NONE = "NOT EXISTS (SELECT FROM orchestrator.shard_leases l WHERE l.instance_id = i.instance_id)";
const END = prepared(
  "leases.end",
  `UPDATE orchestrator.instances SET expires_at = least(expires_at, clock_timestamp())
  WHERE instance_id = ANY($1::text[])`,
);
const END_OTHERS = prepared(
  "leases.end_others",
  "UPDATE orchestrator.instances SET expires_at = least(expires_at, clock_timestamp()) WHERE instance_id <> $1",
);
const BURY = prepared(
  "leases.bury",
  `DELETE FROM orchestrator.instances i WHERE instance_id = ANY($1::text[]) AND ${OWNS_NONE}`,
);
// Deletes an instance of another machine that died long ago.
const FORGET = prepared(
  "leases.forget",
  `DELETE FROM orchestrator.instances i WHERE expires_at < clock_timestamp() - interval '1 hour' AND ${OWNS_NONE}`,
);
const TAKE = prepared(
  "leases.take",
  `WITH alive AS (SELECT instance_id, leaving FROM orchestrator.instances WHERE expires_at > clock_timestamp()),
  share AS (
    SELECT greatest(0, ceil((SELECT count(*) FROM orchestrator.shard_leases)::float8
        / greatest(1, (SELECT count(*) FROM alive WHERE NOT leaving)))::int
      - (SELECT count(*) FROM orchestrator.shard_leases WHERE instance_id = $1)::int) AS more
  ),
  free AS (
    SELECT l.shard, l.clean AND l.instance_id IS NULL AS clean, l.incarnation AS previous,
      ${spanMs("i.expires_at", "clock_timestamp()")} AS ownerless
    FROM orchestrator.shard_leases l LEFT JOIN orchestrator.instances i ON i.instance_id = l.instance_id
    WHERE (l.instance_id IS NULL OR l.instance_id NOT IN (SELECT instance_id FROM alive))
      AND (l.shard = $2::int OR (SELECT more FROM share) > 0)
    ORDER BY l.shard = $2 DESC, l.shard LIMIT greatest(1, (SELECT more FROM share)) FOR UPDATE OF l SKIP LOCKED
  )
  UPDATE orchestrator.shard_leases l SET epoch = l.epoch + 1, instance_id = $1, incarnation = $3, clean = false FROM free
  WHERE l.shard = free.shard RETURNING l.shard, l.epoch, free.clean, free.previous AS "previousOwner", free.ownerless AS "ownerlessMs"`,
);
const RAISE = prepared(
  "leases.raise",
  `WITH own AS (
    SELECT shard, incarnation FROM orchestrator.shard_leases
    WHERE instance_id = $1 AND shard = ANY($2::int2[]) ORDER BY shard FOR UPDATE
  )
  UPDATE orchestrator.shard_leases l SET epoch = l.epoch + 1, incarnation = $3 FROM own WHERE l.shard = own.shard
  RETURNING l.shard, l.epoch, own.incarnation AS "previousOwner"`,
);
const ADDRESS = prepared(
  "leases.address",
  `SELECT i.address FROM orchestrator.shard_leases l JOIN orchestrator.instances i USING (instance_id)
  WHERE l.shard = $1 AND i.expires_at > clock_timestamp()`,
);
const RELEASE = prepared(
  "leases.release",
  "UPDATE orchestrator.shard_leases SET instance_id = NULL, clean = true, epoch = epoch + 1 WHERE instance_id = $1",
);

// A row that is locked, for instance by a batch that is still being written, is left for the next call.
const RELEASE_SOME = prepared(
  "leases.release_some",
  `WITH idle AS (
    SELECT shard FROM orchestrator.shard_leases WHERE instance_id = $1 AND shard = ANY($2::int2[]) ORDER BY shard FOR UPDATE SKIP LOCKED
  )
  UPDATE orchestrator.shard_leases l SET instance_id = NULL, clean = true, epoch = l.epoch + 1 FROM idle WHERE l.shard = idle.shard
  RETURNING l.shard`,
);
const NOTIFY = prepared("leases.notify", `SELECT pg_notify('${CHANNEL}', $1)`);

/** What {@link openLeases} returns. */
export interface OpenedLeases {
  readonly leases: Leases;
  readonly shards: number;
  /** Sequence of the first record of a new run. */
  readonly firstSequence: number;
}

interface Settings {
  readonly shards: number;
  readonly sequenceBase: string;
  readonly identity: string;
}

/**
 * Registers this instance. Errors: CONFIG_INVALID if the database has a different number of shards than requested,
 * STORE_RESTORED if it is a copy, JOURNAL_TOO_NEW if an upgrade to a release was finalized whose records this one
 * cannot read.
 */
export async function openLeases(database: Database, options: LeaseOptions): Promise<OpenedLeases> {
  const { instanceId, ttlMs, reads, release } = options;
  const host = hostId();
  const first = await readDatabaseIdentity(database.journal);
  await database.journal.query(INSERT_SETTINGS, [String(options.shards), String(reads), first]);
  const { shards, sequenceBase } = await readSettings(database);
  const firstSequence = toFirstSequence(sequenceBase);
  if (shards !== options.shards) {
    fail("CONFIG_INVALID", {
      problem: `this database has ${shards} shards, a number that never changes; set shards to ${shards} or remove the setting`,
    });
  }
  await database.journal.query(CREATE_SHARDS, [shards]);
  if (options.alone) await database.journal.query(END_OTHERS, [instanceId]);
  let leaving = false;
  let incarnation = "";
  /** Returns how long ago the life of the instance of this name ended; below 0: it had not; null: there was none. */
  const register = async (): Promise<number | null> => {
    incarnation = randomUUID();
    const row = [instanceId, options.address, host, process.pid, ttlMs, reads, leaving, release];
    const { rows } = await database.journal.query<{ formerEndedMs: number | null }>(REGISTER, row);
    const [registered] = rows;
    if (registered === undefined)
      fail("JOURNAL_TOO_NEW", { found: await readJournalVersion(database.journal), known: reads });
    // From here on no restore can be finished. One that was, while this instance was not registered, it has not heard
    // of, and another database may have taken the place of the first.
    const now = await readSettings(database);
    const isOurs = isSameDatabase(now.identity, await readDatabaseIdentity(database.journal));
    if (isOurs && now.sequenceBase === sequenceBase) return registered.formerEndedMs;
    await database.journal.query(SIGN_OFF, [instanceId]);
    return fail("STORE_RESTORED");
  };
  const formerEndedMs = await register();
  /** When the life of an earlier process of this name ended; null: there was none, or what it left is ours. */
  let formerEndedAt = formerEndedMs === null ? null : performance.now() - formerEndedMs;
  let hasAcquired = false;
  const notify = async (): Promise<void> => {
    if (!options.alone) await database.journal.query(NOTIFY, [instanceId]);
  };
  await database.journal.query(FORGET);
  // An instance that now owns more than its share releases shards at once.
  await notify();
  let cluster: ClusterView = { others: [], epochs: 0 };
  const survey = async (renews = false): Promise<Survey> => {
    const { rows } = renews
      ? await database.journal.query<Survey>(RENEW_AND_SURVEY, [instanceId, host, ttlMs])
      : await database.journal.query<Survey>(SURVEY, [instanceId, host]);
    const [seen] = rows;
    invariant(seen, "a survey answers with one row");
    cluster = { others: seen.others, epochs: seen.epochs };
    return seen;
  };
  const take = async (wanted: number | undefined): Promise<TakenLease[]> =>
    (await database.journal.query<TakenLease>(TAKE, [instanceId, wanted ?? null, incarnation])).rows;
  const leases: Leases = {
    acquire: async (wanted, { renews } = { renews: false }) => {
      // What is raised from now on, this process has lost.
      if (hasAcquired) formerEndedAt = null;
      hasAcquired = true;
      let seen = await survey(renews);
      const { renewed } = seen;
      if (!renewed) {
        await register();
        seen = await survey();
      }
      const dead = seen.neighbours.filter((neighbour) => !isAlive(neighbour.pid)).map((neighbour) => neighbour.id);
      if (dead.length > 0) {
        await database.journal.query(END, [dead]);
        seen = await survey();
      }
      const { held, share, free } = seen;
      const takes = free > 0 && !leaving && (held.length < share || wanted !== undefined);
      const taken = takes ? await take(wanted) : [];
      if (dead.length > 0) await database.journal.query(BURY, [dead]);
      if (takes) seen = await survey();
      const { now, reads, finalized } = seen;
      return { renewed, taken, held: seen.held, surplus: surplusOf(seen), now, journal: { reads, finalized } };
    },
    cluster: () => cluster,
    renew: async () => {
      const { count } = await database.journal.query(RENEW, [instanceId, ttlMs]);
      if (count === 0) await register();
      return count > 0;
    },
    raise: async (wanted) => {
      const { rows } = await database.journal.query<Omit<RaisedLease, "ownerlessMs">>(RAISE, [
        ...[instanceId, wanted, incarnation],
      ]);
      const ownerlessMs = formerEndedAt === null ? null : performance.now() - formerEndedAt;
      formerEndedAt = null;
      return rows.map((lease) => ({ ...lease, ownerlessMs }));
    },
    addressOf: async (shard) => {
      const { rows } = await database.reads.query<{ address: string }>(ADDRESS, [shard]);
      return rows[0]?.address ?? null;
    },
    leave: async () => {
      leaving = true;
      await database.journal.query(LEAVE, [instanceId]);
    },
    look: async () => {
      await survey();
      return cluster;
    },
    releaseSome: async (wanted) => {
      const { rows } = await database.journal.query<{ shard: number }>(RELEASE_SOME, [instanceId, wanted]);
      if (rows.length > 0) await notify();
      return rows.map(({ shard }) => shard);
    },
    release: async () => {
      await database.journal.query(RELEASE, [instanceId]);
      await database.journal.query(SIGN_OFF, [instanceId]);
      await notify();
    },
    // Free shards are also found when a call needs them, and by the lease renewer.
    listen: options.alone
      ? () => async () => {}
      : (listener) =>
          database.listen(CHANNEL, (sender) => {
            if (sender !== instanceId) listener();
          }),
  };
  return { leases, shards, firstSequence };
}

async function readSettings(database: Database): Promise<Settings> {
  const { rows } = await database.journal.query<Settings>(READ_SETTINGS);
  const [settings] = rows;
  invariant(settings, "an aggregate has a row");
  return settings;
}

function toFirstSequence(base: string): number {
  const number = /^\d{1,10}$/.test(base) ? Number(base) : Number.NaN;
  if (number <= MAX_SEQUENCE_BASE) return number + 1;
  return fail("CONFIG_INVALID", {
    problem: `the row \`sequence_base\` of the table orchestrator.settings is damaged: it says \`${base.slice(0, 20)}\`, which is no number from 0 to ${MAX_SEQUENCE_BASE}`,
  });
}

function surplusOf({ held, share }: Survey): number {
  return Math.max(0, held.length - share);
}

/**
 * Identifies the namespace in which process ids are meaningful. On Linux that is the boot and the pid namespace.
 * Elsewhere there is one per host, distinguished from hosts of the same name by the MAC addresses of the network
 * interfaces. Host names alone are not enough: machines created from one image share them.
 */
export function hostId(): string {
  try {
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
    return `${hostname()} ${boot} ${readlinkSync("/proc/self/ns/pid")}`;
  } catch {
    // Not Linux.
    const addresses = Object.values(networkInterfaces()).flatMap((all) => (all ?? []).map(({ mac }) => mac));
    return [hostname(), ...new Set(addresses.toSorted())].join(" ");
  }
}
