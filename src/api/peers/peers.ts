/** Other instances on the database: proofs of forwarded callers, and calls to the instances that can handle them. */
import { toError } from "../../base/errors.ts";
import type { Cluster } from "../../engine/ports/cluster.ts";
import type { LimitCalls } from "../../engine/ports/dispatch/limits.ts";
import type { PeerCalls } from "../../engine/ports/dispatch/peers.ts";
import type { SharedClock } from "../../engine/ports/shared-clock.ts";
import type { Route } from "../calls/routing.ts";
import { type AskPeers, openAskPeers } from "./ask-peers.ts";
import { openSender, type Sender } from "./forward-send.ts";
import { createForwardedCallers, type ForwardedCallers } from "./forwarded-caller.ts";
import { createPeerCalls } from "./peer-calls.ts";
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
  readonly sender: Sender;
  /** What instances say to each other about tasks, workers, and limits. */
  readonly calls: PeerCalls & LimitCalls;
  /** Answers forwarded waits and ends the search for owners. */
  drain(): void;
  close(): void;
}

export function createPeers({ cluster, sharedClock, tokenKey, maxMessageBytes }: PeersNeeds): Peers {
  const draining = new AbortController();
  const callers = createForwardedCallers(tokenKey, sharedClock);
  const { askPeers, close } = openAskPeers({ cluster, callers, maxMessageBytes });
  const sender = openSender({ callers, cluster, maxMessageBytes });
  const router = createRouter({ cluster, sender, draining: draining.signal });
  return {
    callers,
    route: router.route,
    ask: askPeers,
    drain: () => draining.abort(toError("SHUTTING_DOWN")),
    sender,
    calls: createPeerCalls(sender),
    close: () => {
      sender.close();
      close();
    },
  };
}
