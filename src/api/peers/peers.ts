/** Other instances on the database: proofs of forwarded callers, and calls to the instances that can handle them. */
import { toError } from "../../base/errors.ts";
import type { Cluster } from "../../engine/ports/cluster.ts";
import type { SharedClock } from "../../engine/ports/shared-clock.ts";
import type { Route } from "../calls/routing.ts";
import { type AskPeers, openAskPeers } from "./ask-peers.ts";
import { createForwardedCallers, type ForwardedCallers } from "./forwarded-caller.ts";
import { createRouter } from "./router.ts";

export interface PeersNeeds {
  readonly cluster: Cluster;
  readonly sharedClock: SharedClock;
  /** Key for the proofs of forwarded callers: 32 bytes that all instances share. */
  readonly tokenKey: Uint8Array;
  readonly maxMessageBytes: number;
}

/** Forwarding between instances. Connections are opened on demand. */
export interface Peers {
  readonly callers: ForwardedCallers;
  readonly route: Route;
  readonly ask: AskPeers;
  /** Answers forwarded waits and ends the search for owners. */
  drain(): void;
  close(): void;
}

export function createPeers({ cluster, sharedClock, tokenKey, maxMessageBytes }: PeersNeeds): Peers {
  const draining = new AbortController();
  const callers = createForwardedCallers(tokenKey, sharedClock);
  const { askPeers, close } = openAskPeers({ cluster, callers, maxMessageBytes });
  const router = createRouter({ cluster, callers, maxMessageBytes, draining: draining.signal });
  return {
    callers,
    route: router.route,
    ask: askPeers,
    drain: () => draining.abort(toError("SHUTTING_DOWN")),
    close: () => {
      router.close();
      close();
    },
  };
}
