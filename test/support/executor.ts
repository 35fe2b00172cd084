/** A program of somebody else: takes tasks from a topic and answers on others, as the contract of executors says. */
import { setTimeout as sleep } from "node:timers/promises";
import { Consumer, Producer, stringDeserializers, stringSerializers } from "@platformatic/kafka";

/** A task as its message has it. */
export interface ExecutorTask {
  readonly run_id: string;
  readonly task_id: string;
  readonly handler: string;
  readonly inputs: unknown;
  readonly attempt: number;
  readonly max_retries: number;
  readonly timeout: number | null;
  readonly fencing_token: number;
  readonly [key: string]: unknown;
}

/** What a handler gives: an output; or, thrown, the `error` of the answer. */
export type ExecutorHandler = (task: ExecutorTask) => Promise<unknown>;

export interface Executor {
  /** Every message that was taken. */
  readonly taken: readonly ExecutorTask[];
  stop(): Promise<void>;
}

/** Starts an executor on `${prefix}task_queue`, for the tasks that `isMine` accepts. */
export async function startExecutor(
  address: string,
  prefix: string,
  handler: ExecutorHandler,
  isMine: (task: ExecutorTask) => boolean = () => true,
): Promise<Executor> {
  const producer = openProducer(address);
  const taken: ExecutorTask[] = [];
  const stopped = new AbortController();
  /** A broker may be away for a while. */
  const untilSent = async (message: { topic: string; key: string; value: string }): Promise<void> => {
    while (!stopped.signal.aborted) {
      const sent = await producer.send({ messages: [message] }).then(
        () => true,
        () => false,
      );
      if (sent) return;
      await sleep(200);
    }
  };
  const answer = async (task: ExecutorTask): Promise<void> => {
    const { run_id, task_id } = task;
    const same = { run_id, task_id, execution_time_ms: 1 };
    const [topic, body] = await handler(task).then(
      (output) => ["task_done", { ...same, output }] as const,
      (error: unknown) => ["task_failed", { ...same, error: error instanceof Error ? error.message : error }] as const,
    );
    await untilSent({ topic: prefix + topic, key: run_id, value: JSON.stringify(body) });
  };
  const open = async () => {
    const consumer = new Consumer({
      clientId: "executor",
      groupId: `${prefix}executors`,
      bootstrapBrokers: [address],
      deserializers: stringDeserializers,
      // After a crash of the broker nobody waits long for the member that this one was.
      sessionTimeout: 6_000,
      heartbeatInterval: 1_000,
    });
    const stream = await consumer.consume({ topics: [`${prefix}task_queue`], mode: "earliest", autocommit: true });
    stream.on("data", ({ value }: { readonly value: string }) => {
      const task = JSON.parse(value) as ExecutorTask;
      if (!isMine(task)) return;
      taken.push(task);
      void answer(task);
    });
    stream.on("error", () => void reopen());
    return { consumer, stream };
  };
  let opened = await open();
  let reopening: Promise<void> | null = null;
  const reopen = (): Promise<void> => {
    reopening ??= (async () => {
      await opened.consumer.close(true).catch(() => {});
      while (!stopped.signal.aborted) {
        const again = await open().catch(() => null);
        if (again !== null) {
          opened = again;
          break;
        }
        await sleep(200);
      }
      reopening = null;
    })();
    return reopening;
  };
  return {
    taken,
    async stop() {
      stopped.abort();
      await reopening;
      await opened.stream.close().catch(() => {});
      await opened.consumer.close(true).catch(() => {});
      await producer.close(true);
    },
  };
}

/** Opens a producer of texts. */
export function openProducer(address: string): Producer<string, string, string, string> {
  return new Producer({
    clientId: "test",
    bootstrapBrokers: [address],
    serializers: stringSerializers,
    timeout: 10_000,
    retries: 5,
  });
}
