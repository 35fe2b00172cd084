/**
 * Connections to other instances, one for each address. One that nobody has used for a while is closed: its instance
 * may be gone for good.
 */
import { readAddress } from "../client/address.ts";
import { type GrpcChannel, openGrpcChannel } from "../client/grpc-channel.ts";

/** Time without a call after which a connection is closed, milliseconds. */
const IDLE_MS = 120_000;

/** Connections in the hands of their owner. */
export interface PeerChannels {
  /** Makes a call on the connection to an address. It stays open until `call` has settled, whatever happens. */
  use<T>(address: string, call: (channel: GrpcChannel) => Promise<T>): Promise<T>;
  /** How many connections are kept. */
  readonly size: number;
  close(): void;
}

interface Kept {
  readonly channel: GrpcChannel;
  /** Calls under way. */
  open: number;
  usedAt: number;
}

/** Keeps connections. `idleMs` is for tests. */
export function openPeerChannels(maxMessageBytes: number, idleMs = IDLE_MS): PeerChannels {
  const kept = new Map<string, Kept>();
  const timer = setInterval(
    () => {
      for (const [address, one] of kept) {
        if (one.open > 0 || performance.now() - one.usedAt < idleMs) continue;
        kept.delete(address);
        one.channel.close();
      }
    },
    Math.max(1, idleMs / 2),
  ).unref();
  const find = (address: string): Kept => {
    const known = kept.get(address);
    if (known !== undefined) return known;
    const channel = openGrpcChannel({ ...readAddress(address), maxMessageBytes, useProxy: false });
    const made = { channel, open: 0, usedAt: performance.now() };
    kept.set(address, made);
    return made;
  };
  return {
    async use(address, call) {
      const one = find(address);
      one.open += 1;
      try {
        return await call(one.channel);
      } finally {
        one.open -= 1;
        one.usedAt = performance.now();
      }
    },
    get size() {
      return kept.size;
    },
    close() {
      clearInterval(timer);
      for (const { channel } of kept.values()) channel.close();
      kept.clear();
    },
  };
}
