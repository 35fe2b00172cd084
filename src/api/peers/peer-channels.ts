/**
 * Connections to other instances, one for each address. Unused ones are closed, because the instance may be gone for
 * good.
 */
import { readAddress } from "../client/address.ts";
import { type GrpcChannel, openGrpcChannel } from "../client/grpc-channel.ts";

/** Idle time after which a connection is closed, milliseconds. */
const IDLE_MS = 120_000;

export interface PeerChannels {
  /** Runs a call on the connection to an address, which stays open until `call` has settled. */
  use<T>(address: string, call: (channel: GrpcChannel) => Promise<T>): Promise<T>;
  /** The connection to an address, which stays open until it is released. */
  hold(address: string): { readonly channel: GrpcChannel; readonly release: () => void };
  /** Number of connections. */
  readonly size: number;
  close(): void;
}

interface Kept {
  readonly channel: GrpcChannel;
  /** Calls in progress. */
  open: number;
  usedAt: number;
}

/** `idleMs` is for tests. */
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
  const hold: PeerChannels["hold"] = (address) => {
    const one = find(address);
    one.open += 1;
    const release = (): void => {
      one.open -= 1;
      one.usedAt = performance.now();
    };
    return { channel: one.channel, release };
  };
  return {
    hold,
    async use(address, call) {
      const { channel, release } = hold(address);
      try {
        return await call(channel);
      } finally {
        release();
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
