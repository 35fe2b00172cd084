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
    const arrived: number[] = [];
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
      delivered: (writtenAt) => void arrived.push(...writtenAt),
      rejected: () => {},
      log: silentLog,
    });
    relay.nudge();
    await eventually(() => expect(seen).toHaveLength(1));
    await relay.stop();
    expect(arrived).toEqual([MESSAGE.at]);
  },
);

// Cause: a page that was read before a switch was turned off went out after it.
test("a page that was read before something was switched off is read again, and nothing is forgotten", async () => {
  const rows: StoredOutgoing[] = ["1", "2"].map((id) => ({ id: { shard: 0, id }, message: MESSAGE }));
  const sent: string[] = [];
  let isOff = false;
  const relay = startOutboxRelay({
    outbox: {
      list: async (_shards, underWay) =>
        isOff ? [] : rows.filter(({ id }) => !underWay.some((one) => one.id === id.id)).slice(0, 1),
      delete: async (ids) =>
        void ids.map(({ id }) =>
          rows.splice(
            rows.findIndex((row) => row.id.id === id),
            1,
          ),
        ),
      measure: async () => ({ messages: rows.length, bytes: 0 }),
      reject: async () => {},
    },
    destination: {
      encode: (messages) => ({
        send: async () => {
          sent.push(...messages.map(({ id }) => id.id));
          // The next page is read meanwhile, and before this one has arrived the switch is turned.
          await new Promise(setImmediate);
          isOff = true;
          return { sent: messages.map(({ id }) => id), rejected: [], failed: new Map() };
        },
      }),
    },
    ...{ shards: { owned: [0] }, delivered: () => {}, rejected: () => {}, log: silentLog },
    listHeld: () => (isOff ? [{ tenantId: "t", flowId: "" }] : []),
  });
  relay.nudge();
  await eventually(() => expect(rows).toHaveLength(1));
  expect(sent).toEqual(["1"]);
  // Nobody says that it is on again.
  isOff = false;
  await eventually(() => expect(sent).toEqual(["1", "2"]));
  await relay.stop();
});
