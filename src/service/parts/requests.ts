/** Executions of workflows over Redis: requests come in, answers go out. Nothing happens without a server. */
import type { Log } from "../../base/log.ts";
import { type MessageCounts, STREAM_PREFIX, withPrefix } from "../../bus/redis/messages.ts";
import type { Config } from "../../config/settings.ts";
import { DEFAULT_TENANT } from "../../engine/ports/caller.ts";
import { answersExecution } from "../../engine/runs/projections/execution-answers.ts";
import type { TemplateStarts } from "../../flows/ports/templates.ts";
import { createOutbox } from "../../store/bus/outbox.ts";
import { createStartedRuns } from "../../store/bus/started-runs.ts";
import type { Database } from "../../store/sql/pool.ts";
import type { RunningEngine } from "./engine.ts";
import type { Parts } from "./parts.ts";
import type { Redis } from "./redis.ts";
import type { RedisMessages } from "./redis-messages.ts";

export interface RequestNeeds {
  readonly instanceId: string;
  readonly redis: Redis;
  readonly messages: RedisMessages;
  readonly counts: MessageCounts;
  readonly database: Database;
  readonly engine: RunningEngine;
  readonly templates: TemplateStarts;
}

/** Whether runs write answers: {@link openRequests} sends them. */
export function sendsAnswers({ redis }: Config): boolean {
  return (redis.url !== undefined || redis.host !== undefined) && redis.workflowResponses.length > 0;
}

/** Starts to send answers, and takes requests once messages come. */
export async function openRequests(config: Config, needs: RequestNeeds, log: Log, parts: Parts): Promise<void> {
  const { instanceId, redis, messages, counts, database, engine, templates } = needs;
  const { workflowRequests, workflowResponses, channelPrefix = "", streamMaxLength: maxLength } = config.redis;
  const { connection } = redis;
  if (connection === null || workflowRequests.length + workflowResponses.length === 0) return;
  const [{ createRedisSender }, { startOutboxRelay }, { createRequests }, { createCommands }, { toStartRequest }] =
    await Promise.all([
      import("../../bus/redis/sender.ts"),
      import("../../bus/outbox-relay.ts"),
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
    const relay = startOutboxRelay({ outbox, destination: sender, shards, rejected() {}, log });
    parts.onClose(() => relay.stop());
    engine.observe({
      fenced: () => {},
      takenOver: () => relay.nudge(),
      committed: (run, records) => {
        if (answersExecution(run, records)) relay.nudge();
      },
    });
    connection.onReady(() => relay.nudge());
    // Shards that are ours already.
    relay.nudge();
  }
  parts.onClose(() => stopping.abort());
  const { maxPayloadBytes: maxBytes } = config.limits;
  const commands = createCommands(config, instanceId, engine);
  const { channel, stream } = createRequests({
    ...{ templates, shards, maxBytes, counts, log, tenantId: DEFAULT_TENANT, stopping: stopping.signal },
    startedRuns: createStartedRuns(database),
    startHere: async (tenantId, start) => {
      await runControl.startRun({ tenantId, actor: "" }, toStartRequest(start), 0);
    },
    startAnywhere: (tenantId, start) => commands.start(tenantId, start),
  });
  for (const name of workflowRequests) {
    const source = withPrefix(name, channelPrefix);
    messages.on(source, source.startsWith(STREAM_PREFIX) ? stream : channel);
  }
}
