/** Executions of workflows over Redis: requests come in, answers go out. Nothing happens without a server. */
import { invariant } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import { OwnerDeaths } from "../../bus/owner-deaths.ts";
import { STREAM_PREFIX, withPrefix } from "../../bus/redis/messages.ts";
import type { Config } from "../../config/settings.ts";
import { DEFAULT_TENANT } from "../../engine/ports/caller.ts";
import { ALL_PLACES } from "../../engine/runs/dispatch/outbox-gate.ts";
import { answersExecution } from "../../engine/runs/projections/execution-answers.ts";
import type { TemplateStarts } from "../../flows/ports/templates.ts";
import { createDropOldest, createOutbox } from "../../store/bus/outbox.ts";
import { createStartedRuns } from "../../store/bus/started-runs.ts";
import type { Database } from "../../store/sql/pool.ts";
import type { RunningEngine } from "./engine.ts";
import type { Relays } from "./outgoing/relays.ts";
import type { Parts } from "./parts.ts";
import type { Redis } from "./redis.ts";
import { countMessages, type RedisMessages } from "./redis-messages.ts";

export interface RequestNeeds {
  readonly instanceId: string;
  readonly redis: Redis;
  readonly messages: RedisMessages;
  readonly database: Database;
  readonly engine: RunningEngine;
  readonly templates: TemplateStarts;
  readonly relays: Relays;
}

/** Whether runs write answers: {@link openRequests} sends them. */
export function sendsAnswers({ redis }: Config): boolean {
  return (redis.url !== undefined || redis.host !== undefined) && redis.workflowResponses.length > 0;
}

/** Starts to send answers, and takes requests once messages come. */
export async function openRequests(config: Config, needs: RequestNeeds, log: Log, parts: Parts): Promise<void> {
  const { instanceId, redis, messages, database, engine, templates, relays } = needs;
  const { workflowRequests, workflowResponses, channelPrefix = "", streamMaxLength: maxLength } = config.redis;
  const { connection } = redis;
  if (connection === null || workflowRequests.length + workflowResponses.length === 0) return;
  const [
    { createRedisSender },
    { startOutboxRelay },
    { keepOutboxLimits },
    { createRequests },
    { createCommands },
    { toStartRequest },
  ] = await Promise.all([
    import("../../bus/redis/sender.ts"),
    import("../../bus/outbox-relay.ts"),
    import("../../bus/outbox-limits.ts"),
    import("../../bus/redis/requests/requests.ts"),
    import("./bus-commands.ts"),
    import("../../api/mapping/message-start.ts"),
  ]);
  const { shards, runControl } = engine;
  const responses = workflowResponses.map((name) => withPrefix(name, channelPrefix));
  const stopping = new AbortController();
  const sender = createRedisSender({ connection, namesOf: () => responses, maxLength, stopping: stopping.signal });
  if (sendsAnswers(config)) {
    const outbox = createOutbox(database, "redis");
    const relay = startOutboxRelay({
      ...{ outbox, destination: sender, shards, log },
      delivered: (writtenAt) => relays.delivered("redis", writtenAt),
      rejected() {},
    });
    parts.onClose(() => relay.stop());
    const gate = engine.outboxGates.answers?.of(ALL_PLACES);
    invariant(gate !== undefined, "the engine has no gate for answers");
    const { maxUnsentMessages: maxMessages, maxUnsentBytes: maxBytes } = config.redis;
    const drop = createDropOldest(database, "redis");
    const limits = keepOutboxLimits({
      ...{ outbox, gate, maxMessages, maxBytes, log },
      meanwhile: "executions go on, and the oldest answers that wait for Redis are dropped",
      async dropOldest(part) {
        const dropped = await drop(shards.owned, part);
        relays.dropped("redis", dropped);
        return dropped;
      },
    });
    parts.onClose(() => limits.stop());
    const look = (): void => {
      relay.nudge();
      limits.nudge();
    };
    engine.observe({
      takenOver: look,
      committed: (run, records) => {
        if (answersExecution(run, records)) look();
      },
    });
    connection.onReady(() => relay.nudge());
    relays.add(relay.nudge);
    // Shards that are ours already.
    look();
  }
  parts.onClose(() => stopping.abort());
  const { maxPayloadBytes: maxBytes } = config.limits;
  const commands = createCommands(config, instanceId, engine);
  const { channel, stream } = createRequests({
    counts: countMessages(parts),
    ...{ templates, shards, maxBytes, log, tenantId: DEFAULT_TENANT, stopping: stopping.signal },
    startedRuns: createStartedRuns(database),
    startHere: async (tenantId, start) => {
      await runControl.startRun({ tenantId, actor: "" }, toStartRequest(start), 0);
    },
    startAnywhere: commands.start,
    ownerDeaths: new OwnerDeaths({ stopping: stopping.signal, pauseMs: config.testing.suspectPause }),
  });
  for (const name of workflowRequests) {
    const source = withPrefix(name, channelPrefix);
    messages.on(source, source.startsWith(STREAM_PREFIX) ? stream : channel);
  }
}
