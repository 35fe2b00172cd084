/** Connections to other instances, one for each address. One that nobody has used for a while is closed: its instance may be gone for good. */
import { Client, credentials } from "@grpc/grpc-js";

/** Time without a call after which a connection is closed, milliseconds. */
const IDLE_MS = 120_000;

/** Connections in the hands of their owner. */
export interface PeerClients {
  /** Makes a call on the connection to an address. It stays open until `call` has settled, whatever happens. */
  use<T>(address: string, call: (client: Client) => Promise<T>): Promise<T>;
  /** How many connections are kept. */
  readonly size: number;
  close(): void;
}

interface Kept {
  readonly client: Client;
  /** Calls under way. */
  open: number;
  usedAt: number;
}

/** Keeps connections. `idleMs` is for tests. */
export function openPeerClients(maxMessageBytes: number, idleMs = IDLE_MS): PeerClients {
  const kept = new Map<string, Kept>();
  const timer = setInterval(
    () => {
      for (const [address, one] of kept) {
        if (one.open > 0 || performance.now() - one.usedAt < idleMs) continue;
        kept.delete(address);
        one.client.close();
      }
    },
    Math.max(1, idleMs / 2),
  ).unref();
  const find = (address: string): Kept => {
    const known = kept.get(address);
    if (known !== undefined) return known;
    const client = new Client(address, credentials.createInsecure(), {
      "grpc.max_receive_message_length": maxMessageBytes,
      "grpc.max_send_message_length": maxMessageBytes,
      "grpc.enable_http_proxy": 0,
      "grpc.keepalive_time_ms": 60_000,
      // An instance that was away is called again soon: the library's own pauses grow to two minutes.
      "grpc.initial_reconnect_backoff_ms": 100,
      "grpc.max_reconnect_backoff_ms": 1_000,
    });
    const made = { client, open: 0, usedAt: performance.now() };
    kept.set(address, made);
    return made;
  };
  return {
    async use(address, call) {
      const one = find(address);
      one.open += 1;
      try {
        return await call(one.client);
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
      for (const { client } of kept.values()) client.close();
      kept.clear();
    },
  };
}
