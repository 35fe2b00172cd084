/** Two instances that talk, and calls between them that fail, hang, or arrive late. */
import { expect, test } from "vitest";
import { silentLog } from "../../../../src/base/log.ts";
import { Conversation } from "../../../../src/engine/dispatch/peers/conversation.ts";
import type {
  Conversation as Named,
  PeerAnswer,
  PeerCalls,
  PeerMessage,
} from "../../../../src/engine/ports/dispatch/peers.ts";
import { eventually } from "../../../support/eventually.ts";

type Carry = (deliver: () => PeerAnswer) => Promise<PeerAnswer>;

/** One side: what it was told, and how often it forgot. */
interface Side {
  readonly conversation: Conversation;
  readonly told: string[];
  opened: number;
  forgotten: number;
  /** What stands between it and the other side. */
  carry: Carry;
}

const at = async (deliver: () => PeerAnswer): Promise<PeerAnswer> => deliver();

function createPair(): readonly [Side, Side] {
  const sides: Side[] = [];
  const create = (id: string, peerId: string, index: number): Side => {
    const calls: PeerCalls = {
      exchange: (_peer, named: Named, message: PeerMessage) =>
        side.carry(() => (sides[1 - index] as Side).conversation.receive(named, message)),
    };
    const side: Side = {
      told: [],
      opened: 0,
      forgotten: 0,
      carry: at,
      conversation: new Conversation({
        self: id,
        peer: { id: peerId, address: peerId, leaving: false, owns: true, shards: [] },
        calls,
        listener: {
          opened: () => {
            side.opened += 1;
          },
          forgotten: () => {
            side.forgotten += 1;
          },
          take: (message) => {
            side.told.push(...message.ended);
            return [];
          },
          refused: () => {},
        },
        log: silentLog,
      }),
    };
    return side;
  };
  sides.push(create("a", "b", 0), create("b", "a", 1));
  return sides as [Side, Side];
}

async function open(): Promise<readonly [Side, Side]> {
  const [a, b] = createPair();
  a.conversation.keepAlive(0);
  await eventually(() => expect([a.opened, b.opened]).toEqual([1, 1]));
  return [a, b];
}

test("what is said goes over, and what comes while a call is under way goes with the next one", async () => {
  const [a, b] = await open();
  let calls = 0;
  const gate = Promise.withResolvers<void>();
  a.carry = async (deliver) => {
    calls += 1;
    await gate.promise;
    return deliver();
  };
  a.conversation.outbox.end("1", false);
  await eventually(() => expect(calls).toBe(1));
  a.conversation.outbox.end("2", false);
  a.conversation.outbox.end("3", false);
  gate.resolve();
  await eventually(() => expect(b.told).toEqual(["1", "2", "3"]));
  expect(calls).toBe(2);
});

test("after a call that failed both sides forget, and what still arrives of it has no effect", async () => {
  const [a, b] = await open();
  let late = (): PeerAnswer => ({ epoch: 0, taken: false, refused: [] });
  a.carry = async (deliver) => {
    late = deliver;
    throw new Error("no answer");
  };
  a.conversation.outbox.end("1", false);
  await eventually(() => expect(a.forgotten).toBe(1));
  a.carry = at;
  await eventually(() => {
    a.conversation.keepAlive(0);
    expect([a.opened, b.opened, b.forgotten]).toEqual([2, 2, 1]);
  });
  expect(late().taken).toBe(false);
  a.conversation.outbox.end("2", false);
  await eventually(() => expect(b.told).toEqual(["2"]));
});

test("an instance that was started again under the same name is a new one", async () => {
  const [a, b] = await open();
  const [, again] = createPair();
  // The same name, and a later epoch.
  await eventually(() => expect(again.conversation.name.epoch).toBeGreaterThanOrEqual(b.conversation.name.epoch));
  const named = { ...again.conversation.name, epoch: b.conversation.name.epoch + 1 };
  const empty = a.conversation.outbox.take();
  expect(a.conversation.receive(named, empty).taken).toBe(false);
  expect([a.forgotten, a.opened]).toEqual([1, 2]);
  // The earlier one is not heard any more.
  expect(a.conversation.receive(b.conversation.name, empty).taken).toBe(false);
  expect(a.forgotten).toBe(1);
});
