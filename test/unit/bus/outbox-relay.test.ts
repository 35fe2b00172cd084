import { expect, test } from "vitest";
import { silentLog } from "../../../src/base/log.ts";
import { startOutboxRelay } from "../../../src/bus/outbox-relay.ts";
import type { Outgoing, StoredOutgoing } from "../../../src/engine/ports/bus/outbox.ts";
import { eventually } from "../../support/eventually.ts";

const MESSAGE: Outgoing = {
  ...{ runId: "run", taskPath: "a", tenantId: "t", destination: "kafka", topic: "events" },
  ...{ key: "run", sequence: 1, at: 1 },
  ...{ kind: "event", content: { payload: 1, headers: {} } },
};

// Cause: a nudge between the last look at the table and the end of the work was forgotten until the next one.
test.each(Array.from({ length: 12 }, (_, ticks) => ticks))(
  "a message that comes %i ticks after the relay saw nothing is sent",
  async (ticks) => {
    const rows: StoredOutgoing[] = [];
    const seen: StoredOutgoing[] = [];
    let looks = 0;
    const relay = startOutboxRelay({
      outbox: {
        list: async (_shards, underWay) => {
          looks += 1;
          if (looks === 1) {
            void (async () => {
              for (let tick = 0; tick < ticks; tick += 1) await null;
              rows.push({ id: { shard: 0, id: "1" }, message: MESSAGE });
              relay.nudge();
            })();
            return [];
          }
          return rows.filter(({ id }) => !underWay.some((one) => one.id === id.id));
        },
        delete: async () => void rows.splice(0),
        measure: async () => ({ messages: rows.length, bytes: 0 }),
        reject: async () => {},
      },
      destination: {
        encode: (messages) => ({
          send: async () => {
            seen.push(...messages);
            return { sent: messages.map(({ id }) => id), rejected: [], failed: new Map() };
          },
        }),
      },
      shards: { owned: [0] },
      rejected: () => {},
      log: silentLog,
    });
    relay.nudge();
    await eventually(() => expect(seen).toHaveLength(1));
    await relay.stop();
  },
);
