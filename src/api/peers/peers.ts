/** The other instances on the database: proof of forwarded callers, and calls that are handled where they belong. */
import { toError } from "../../base/errors.ts";
import type { Cluster } from "../../engine/ports/cluster.ts";
import type { SharedClock } from "../../engine/ports/shared-clock.ts";
import type { Route } from "../calls/routing.ts";
import { createForwardedCallers, type ForwardedCallers } from "./forwarded-caller.ts";
import { createRouter } from "./router.ts";

/** What forwarding needs. */
export interface PeersNeeds {
  readonly cluster: Cluster;
  readonly sharedClock: SharedClock;
  /** Key of the proofs of forwarded callers: 32 bytes that all instances share. */
  readonly tokenKey: Uint8Array;
  readonly maxMessageBytes: number;
}

/** Forwarding between instances. Connections are opened when they are needed. */
export interface Peers {
  readonly callers: ForwardedCallers;
  readonly route: Route;
  /** Answers waits that were forwarded, and ends the search for owners. */
  drain(): void;
  close(): void;
}

/** Creates the forwarding of an instance. */
export function createPeers({ cluster, sharedClock, tokenKey, maxMessageBytes }: PeersNeeds): Peers {
  const draining = new AbortController();
  const callers = createForwardedCallers(tokenKey, sharedClock);
  const router = createRouter({ cluster, callers, maxMessageBytes, draining: draining.signal });
  return {
    callers,
    route: router.route,
    drain: () => draining.abort(toError("SHUTTING_DOWN")),
    close: () => router.close(),
  };
}
