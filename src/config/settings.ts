/**
 * Every setting of the product, in the sections of `orchestrator.yaml`. From this table come the file's JSON Schema,
 * the variables, the flags and docs/config.md. Variables without the prefix are those of the systems whose documents
 * this product keeps.
 */
import type { z } from "zod";
import { AGENTS } from "./sections/agents.ts";
import { CANARY } from "./sections/canary.ts";
import { ENGINE } from "./sections/engine.ts";
import { GATE } from "./sections/gate.ts";
import { GENERATION } from "./sections/generation.ts";
import { GOALS } from "./sections/goals.ts";
import { GRAPHS } from "./sections/graphs.ts";
import { HTTP } from "./sections/http.ts";
import { KAFKA } from "./sections/kafka.ts";
import { LEGACY } from "./sections/legacy.ts";
import { LIMITS } from "./sections/limits.ts";
import { LOG } from "./sections/log.ts";
import { METRICS } from "./sections/metrics.ts";
import { MODELS } from "./sections/models.ts";
import { REDIS } from "./sections/redis.ts";
import { ROUTING } from "./sections/routing.ts";
import { SECRETS } from "./sections/secrets.ts";
import { SERVER } from "./sections/server.ts";
import { STORE } from "./sections/store.ts";
import { TEMPLATES } from "./sections/templates.ts";
import { TESTING } from "./sections/testing.ts";
import { TOOLS } from "./sections/tools.ts";
import { TRACING } from "./sections/tracing.ts";
import { TRIGGERS } from "./sections/triggers.ts";
import { WEBHOOKS } from "./sections/webhooks.ts";
import { WORKERS } from "./sections/workers.ts";
import { WORKFLOWS } from "./sections/workflows.ts";
import type { Setting } from "./setting-types.ts";

/** Sections and their settings. A new section is a file in `sections` and a line here. */
const SETTINGS = {
  server: SERVER,
  store: STORE,
  secrets: SECRETS,
  log: LOG,
  metrics: METRICS,
  canary: CANARY,
  tracing: TRACING,
  engine: ENGINE,
  limits: LIMITS,
  templates: TEMPLATES,
  graphs: GRAPHS,
  http: HTTP,
  tools: TOOLS,
  workers: WORKERS,
  agents: AGENTS,
  models: MODELS,
  generation: GENERATION,
  goals: GOALS,
  redis: REDIS,
  kafka: KAFKA,
  webhooks: WEBHOOKS,
  legacy: LEGACY,
  workflows: WORKFLOWS,
  triggers: TRIGGERS,
  routing: ROUTING,
  gate: GATE,
  testing: TESTING,
} as const satisfies Record<string, Record<string, Setting>>;

type Sections = typeof SETTINGS;

type Value<S extends Setting> = S extends { readonly default: unknown }
  ? z.output<S["schema"]>
  : z.output<S["schema"]> | undefined;

/** The configuration after all sources are merged: durations in milliseconds, sizes in bytes. */
export type Config = {
  readonly [S in keyof Sections]: {
    readonly [K in keyof Sections[S]]: Sections[S][K] extends Setting ? Value<Sections[S][K]> : never;
  };
};

/** A setting with its place. */
export interface NamedSetting extends Setting {
  readonly section: string;
  readonly key: string;
  /** As the file writes it: `server.cors_origins`. */
  readonly path: string;
  /** As the command line writes it: `--cors-origins`. */
  readonly flag: string;
}

/** All settings in the order of the table. */
export function listSettings(): readonly NamedSetting[] {
  return Object.entries(SETTINGS).flatMap(([section, settings]) =>
    Object.entries(settings as Record<string, Setting>).map(([key, declared]) => ({
      ...declared,
      section,
      key,
      path: `${section}.${toSnake(key)}`,
      flag: `--${declared.env[0]
        .replace(/^ORCHESTRATOR_/, "")
        .toLowerCase()
        .replaceAll("_", "-")}`,
    })),
  );
}

function toSnake(key: string): string {
  return key.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
