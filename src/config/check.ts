/**
 * What no single setting can tell: settings that do not go together, and values that only the part which uses them can
 * judge.
 */
import { existsSync } from "node:fs";
import { isIP } from "node:net";
import { resolve } from "node:path";
import { isOrchestratorError } from "../base/errors.ts";
import { ANY_HOST, hostOf } from "../base/host-rule.ts";
import { parseFailPoints } from "../base/process/fail-points.ts";
import { readPlace } from "../flows/drafts/allowed.ts";
import { checkNetwork, createAddressPolicy } from "../tools/http/address-policy.ts";
import { destinationOf } from "../tools/http/http-request.ts";
import { checkKafka } from "./check-kafka.ts";
import { splitModel } from "./model-name.ts";
import type { Config } from "./settings.ts";

/** Each canary has to be seen several times before the hour is over for which it is remembered. */
const LONGEST_CANARY_MS = 900_000;
const SHORTEST_CANARY_MS = 1_000;

/** The contract promises that request ids last this long, and they go with what they have started. */
const SHORTEST_RETENTION_MS = 86_400_000;

/** One thing that is wrong with a setting. */
export interface SettingProblem {
  /** As the file writes it: `server.cors_origins`. */
  readonly path: string;
  readonly problem: string;
}

/**
 * Everything that would keep the service from starting, or from doing what the settings promise, as far as that shows
 * without a start. `isGiven` tells whether somebody gave the setting of a path: a default that is limited by what was
 * given is no mistake.
 */
export function checkConfig(config: Config, isGiven: (path: string) => boolean): readonly SettingProblem[] {
  const problems: SettingProblem[] = [];
  const note = (path: string, problem: string | null): void => {
    if (problem !== null) problems.push({ path, problem });
  };
  for (const origin of config.server.corsOrigins) note("server.cors_origins", judgeOrigin(origin));
  note("server.public_url", judgePublicUrl(config.server.publicUrl));
  const ports = [config.server.port, ...config.server.alsoListen];
  note(
    "server.also_listen",
    new Set(ports).size === ports.length ? null : `each port once, without server.port: ${ports.join(", ")}`,
  );
  for (const host of config.server.allowedHosts) note("server.allowed_hosts", judgeHost(host));
  note("kafka.flow_registry_table", judgeTable(config.kafka.flowRegistryTable));
  note("legacy.schema", judgeSchema(config.legacy.schema));
  for (const entry of config.http.allow)
    note(
      "http.allow",
      complaintOf(() => createAddressPolicy({ allowPrivate: false, allow: [entry] })),
    );
  note("routing.registry_url", judgeForeign(config.routing.registryUrl, config));
  if (config.gate.reflexEnabled !== false) note("gate.reflex_url", judgeForeign(config.gate.reflexUrl, config));
  for (const [name, { base_url: url }] of Object.entries(config.models.providers)) {
    const problem = judgeForeign(url, config) ?? judgeOutside(url);
    note("models.providers", problem === null ? null : `provider ${name}.base_url: ${problem}`);
  }
  for (const network of config.routing.registryNetworks)
    note(
      "routing.registry_networks",
      complaintOf(() => checkNetwork(network)),
    );
  for (const module of config.graphs.modules)
    note("graphs.modules", existsSync(resolve(module)) ? null : `there is no file ${resolve(module)}`);
  const { providers, defaultProvider } = config.models;
  if (defaultProvider !== undefined && !Object.hasOwn(providers, defaultProvider))
    note("models.default_provider", `models.providers has no provider ${defaultProvider}`);
  note("generation.max_cost", judgeGenerationCost(config));
  note("goals.model", judgeGoalModel(config));
  for (const word of config.goals.services)
    if (readPlace(word) === null)
      note("goals.services", `"${word}" is no name of a service, a place, or a type of tasks`);
  const { dir } = config.secrets;
  if (dir !== undefined) note("secrets.dir", existsSync(dir) ? null : `there is no folder ${resolve(dir)}`);
  const { interval } = config.canary;
  const isRare = interval === 0 || (interval >= SHORTEST_CANARY_MS && interval <= LONGEST_CANARY_MS);
  note("canary.interval", isRare ? null : "0, or from 1s to 15m");
  const { operationRetention, messageRetention, requestIdRetention } = config.store;
  note("store.operation_retention", judgeRetention(operationRetention));
  note("store.message_retention", judgeRetention(messageRetention));
  note("store.request_id_retention", judgeRetention(requestIdRetention));
  checkKafka(config, note);
  const { failPoints, suspectPause, enabled } = config.testing;
  if (failPoints !== undefined) {
    note("testing.fail_points", enabled ? null : "fail points are for tests of the service: remove them");
    note(
      "testing.fail_points",
      complaintOf(() => parseFailPoints(failPoints)),
    );
  }
  if (suspectPause !== undefined)
    note("testing.suspect_pause", enabled ? null : "shorter pauses are for tests of the service: remove it");
  const { maxLoopStall, leaseTtl } = config.engine;
  if (isGiven("engine.max_loop_stall") && maxLoopStall > longestStall(leaseTtl))
    note(
      "engine.max_loop_stall",
      `${maxLoopStall} ms leaves no time to name the run before the lease ends: set at most ${longestStall(leaseTtl)} ms with engine.lease_ttl ${leaseTtl} ms`,
    );
  const { maxPayloadBytes, maxFlowBytes, maxMessageBytes } = config.limits;
  for (const [path, bytes] of [
    ["limits.max_payload_bytes", maxPayloadBytes],
    ["limits.max_flow_bytes", maxFlowBytes],
  ] as const)
    if (isGiven(path) && bytes > maxMessageBytes)
      note(path, `${bytes} bytes do not fit into a request: limits.max_message_bytes is ${maxMessageBytes}`);
  return problems;
}

/** A URL that leads back to the service itself would be its own answer. */
function judgeForeign(text: string | undefined, config: Config): string | null {
  const url = URL.parse(text ?? "");
  if (url === null || !leadsToItself(url, config)) return null;
  return `${url.origin} is this service itself; set it to the other service, or another port for this one`;
}

/** Whatever is configured, nothing is told to addresses for special use, such as the metadata services of clouds. */
function judgeOutside(text: string | undefined): string | null {
  const url = URL.parse(text ?? "");
  if (url === null) return null;
  const destination = destinationOf(url);
  const problem = isIP(destination.host) === 0 ? null : ANY_BUT_SPECIAL.judge(destination.host, destination);
  return problem === null ? null : `${destination.host} is ${problem}`;
}

const ANY_BUT_SPECIAL = createAddressPolicy({ allowPrivate: true, allowPlain: true, allow: [] });

/** Whether a URL leads to a port of the service with this configuration. */
export function leadsToItself(url: URL, { server, metrics }: Pick<Config, "server" | "metrics">): boolean {
  const port = Number(url.port || (url.protocol === "https:" ? 443 : 80));
  const isOwn = ["localhost", "[::1]", server.host].includes(url.hostname) || /^127\./.test(url.hostname);
  return isOwn && [server.port, ...server.alsoListen, metrics.port].includes(port);
}

/** The longest standstill of the event loop with a lease of `leaseTtl` milliseconds. */
export function longestStall(leaseTtl: number): number {
  return Math.floor(leaseTtl * 0.6);
}

/** Browsers send scheme, host and port, nothing else; an entry that is written otherwise would never match. */
function judgeOrigin(origin: string): string | null {
  if (origin.includes("*")) return `"${origin}": wildcards are not supported; name each origin`;
  const url = URL.parse(origin);
  const isWeb = url?.protocol === "http:" || url?.protocol === "https:";
  if (isWeb && url.origin !== origin) return `"${origin}" is not what a browser sends; write ${url.origin}`;
  if (isWeb || /^[a-z][a-z0-9+.-]*:\/\/[^/?#\s]+$/.test(origin)) return null;
  return `"${origin}" is not an origin; write scheme, host, and port: https://console.example.com`;
}

/** Paths of calls are appended to it. */
function judgePublicUrl(text: string | undefined): string | null {
  const url = text === undefined ? null : URL.parse(text);
  if (url === null) return null;
  if (url.search !== "" || url.hash !== "" || url.username !== "" || url.password !== "")
    return `"${url.origin}${url.pathname}" must be a plain URL: remove the query, the fragment, and credentials`;
  return null;
}

/** A cost is counted by prices. */
function judgeGenerationCost({ generation, models }: Config): string | null {
  if (generation.maxCost === undefined) return null;
  const names = Object.keys(models.providers);
  const [provider = models.defaultProvider ?? (names.length === 1 ? names[0] : ""), named] = splitModel(
    generation.model,
  );
  const known = models.providers[provider ?? ""]?.models ?? {};
  const model = named ?? Object.keys(known)[0] ?? "";
  const { input_price_per_mtok: input, output_price_per_mtok: output } = known[model] ?? {};
  if (provider === undefined || !Object.hasOwn(models.providers, provider)) return null;
  if (input !== undefined && output !== undefined) return null;
  return `model ${model} of provider ${provider} has no price; add input_price_per_mtok and output_price_per_mtok, or set generation.max_tokens instead`;
}

/** Goals are judged by models that this service calls itself. */
function judgeGoalModel({ goals, models: { providers } }: Config): string | null {
  if (goals.model === undefined) return null;
  const [provider = "", model] = splitModel(goals.model);
  const entry = Object.hasOwn(providers, provider) ? providers[provider] : undefined;
  if (entry === undefined) return `models.providers has no provider ${provider}`;
  const isNamed = model !== undefined || Object.keys(entry.models ?? {}).length > 0;
  return isNamed ? null : `name a model (${provider}/…): the provider ${provider} has no models in the configuration`;
}

function judgeTable(name: string): string | null {
  if (/^[A-Za-z_]\w{0,62}(\.[A-Za-z_]\w{0,62})?$/.test(name)) return null;
  return `"${name}" is not the name of a table: write table or schema.table, in letters, digits, and _`;
}

function judgeSchema(name: string): string | null {
  if (/^[a-z_][a-z0-9_]{0,62}$/.test(name) && !name.startsWith("pg_")) return null;
  return `"${name}" is not the name of a schema: write up to 63 lower-case letters, digits, and _`;
}

function judgeHost(host: string): string | null {
  if (host === ANY_HOST || (hostOf(host) === host && !/:\d*$/.test(host))) return null;
  const written = hostOf(host);
  return `"${host}" is not a host name${written === null ? "" : `; write ${written}`}: a name without scheme and port, or * for every name`;
}

/** What a part says about a value that it cannot read; null when it can. */
function complaintOf(read: () => unknown): string | null {
  try {
    read();
    return null;
  } catch (error) {
    return isOrchestratorError(error) ? String(error.details.problem) : (error as Error).message;
  }
}

function judgeRetention(ms: number): string | null {
  return ms === 0 || ms >= SHORTEST_RETENTION_MS ? null : "0, or at least 24h, which request ids last";
}
