import {
  booleanSetting,
  choiceSetting,
  databaseUrlSetting,
  durationSetting,
  integerSetting,
  setting,
  textSetting,
} from "../setting-types.ts";

/** The database. */
export const STORE = {
  dataDir: setting({
    schema: textSetting("a folder"),
    default: "./data",
    env: ["ORCHESTRATOR_DATA_DIR"],
    text: "Folder of the embedded database and of other persistent files. Only one service may use it.",
  }),
  databaseUrl: setting({
    schema: databaseUrlSetting(),
    env: ["ORCHESTRATOR_DATABASE_URL", "DATABASE_URL"],
    secret: true,
    text: "PostgreSQL 15 or newer: `postgresql://user:password@host:5432/database`. Without it, the service runs its own PostgreSQL in the data folder.",
  }),
  migrations: setting({
    schema: choiceSetting(["apply", "require"]),
    default: "apply",
    env: ["ORCHESTRATOR_MIGRATIONS"],
    text: "What a start does with migrations that the database lacks: `apply` them, or `require` that `orchestrator migrate up` has, for instance in a job that may change the schema while the service may not.",
  }),
  finalizeUpgrades: setting({
    schema: choiceSetting(["at_start", "by_command"]),
    env: ["ORCHESTRATOR_FINALIZE_UPGRADES"],
    text: "When an upgrade is finalized, after which the release before does not start any more: `at_start` of the first instance that finds no older one, or `by_command` (`orchestrator upgrade finalize`). Without it, at the start with the embedded database and by command with another.",
  }),
  operationRetention: setting({
    schema: durationSetting(),
    default: "30d",
    env: ["ORCHESTRATOR_OPERATION_RETENTION"],
    text: "How long operations are kept after their end. Then they are removed, and their request ids start new operations. At least 24 h, which request ids last; 0 keeps them.",
  }),
  requestIdRetention: setting({
    schema: durationSetting(),
    default: "30d",
    env: ["ORCHESTRATOR_REQUEST_ID_RETENTION"],
    text: "How long the request ids of starts are kept. Then they are removed, and start new runs; ids of runs stay taken. At least 24 h, which request ids last; 0 keeps them.",
  }),
  messageRetention: setting({
    schema: durationSetting(),
    default: "30d",
    env: ["ORCHESTRATOR_MESSAGE_RETENTION"],
    text: "How long messages are kept that could not be applied (`rejected_messages`) or sent (`outbox_rejected`), and who moved positions of topics (`kafka_rewinds`). At least 24 h, which request ids last; 0 keeps them.",
  }),
  preparedStatements: setting({
    schema: booleanSetting(),
    default: true,
    env: ["ORCHESTRATOR_PREPARED_STATEMENTS"],
    text: "Prepare statements. If a connection pooler (PgBouncer) is detected, nothing is prepared, whatever this says. Set to false if one is not detected and SQLSTATE 42P05 or 26000 shows in the log.",
  }),
  readConnections: setting({
    schema: integerSetting(1, 64),
    default: 8,
    env: ["ORCHESTRATOR_READ_CONNECTIONS"],
    text: "Largest number of database connections that serve callers, and half as many for lists that are read in the order of an index; the journal has its own.",
  }),
} as const;
