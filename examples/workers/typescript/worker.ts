/** A worker for the flow in order.yaml. ORCHESTRATOR_SERVER: host and port of the service. */
import { createWorker, NonRetryableError, TaskError } from "orchestrator-flows-client/worker";

interface Item {
  readonly price: number;
  readonly count: number;
}

const worker = createWorker({
  address: process.env.ORCHESTRATOR_SERVER ?? "localhost:8002",
  queues: ["orders"],
  slots: 20,
});

worker.handle("price", ({ items }: { readonly items: readonly Item[] }) => ({
  total: items.reduce((sum, { price, count }) => sum + price * count, 0),
}));

worker.handle("charge", ({ card }: { readonly card: string; readonly amount: number }, task) => {
  if (card.startsWith("0")) throw new NonRetryableError("CARD_DECLINED", "the bank declines this card");
  // The bank is away at first. The retry policy of the flow tries again; this error says when.
  if (task.attempt === 1) throw new TaskError("BANK_AWAY", "the bank does not answer", { nextRetryDelayMs: 100 });
  // Every attempt has the same key, so the bank charges the card once.
  return { receipt: task.idempotencyKey };
});

await worker.run();
