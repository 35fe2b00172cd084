/** One Kafka broker for a test run. Each test uses topics of its own. */
import type { TestProject } from "vitest/node";
import { type KafkaBroker, startKafkaBroker } from "./kafka-broker.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** Address of the broker. */
    kafka: string;
  }
}

// Every project of the run loads this file; the broker is shared through the process.
const holder = globalThis as { orchestratorTestKafka?: { users: number; broker: Promise<KafkaBroker> } };

/** Starts the broker for the first project that needs it; stops it after the last. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  holder.orchestratorTestKafka ??= { users: 0, broker: startKafkaBroker() };
  const shared = holder.orchestratorTestKafka;
  shared.users++;
  project.provide("kafka", (await shared.broker).address);
  return async () => {
    shared.users--;
    if (shared.users > 0) return;
    delete holder.orchestratorTestKafka;
    await (await shared.broker).remove();
  };
}
