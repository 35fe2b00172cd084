/** Finds the other instances, and the one that can take a call which this one cannot. */
import { shardOfRun } from "../base/ids.ts";
import type { Cluster, Place } from "./ports/cluster.ts";
import type { Runtime } from "./shard/runtime.ts";

/** The cluster as the runtime and its leases know it. */
export function createCluster(runtime: Runtime): Cluster {
  return {
    view: () => runtime.parts.leases.cluster(),
    locate: (runId, unreachable) => locate(runtime, runId, unreachable),
  };
}

async function locate(runtime: Runtime, runId: string, unreachable?: string): Promise<Place | null> {
  return runId === "" ? locateStarter(runtime, unreachable) : locateOwner(runtime, runId, unreachable);
}

async function locateOwner(runtime: Runtime, runId: string, unreachable?: string): Promise<Place | null> {
  const shard = shardOfRun(runId, runtime.parts.shards);
  if (runtime.epochOf(shard) !== undefined) return "here";
  const address = await runtime.parts.leases.addressOf(shard);
  if (address !== null && address !== unreachable) return { address };
  // The shard has no owner, or one that may be dead: a look finds out, and takes it.
  await runtime.look(shard);
  return runtime.epochOf(shard) === undefined ? null : "here";
}

async function locateStarter(runtime: Runtime, unreachable?: string): Promise<Place | null> {
  const find = (): Place | null => {
    if (runtime.pickShard() !== undefined) return "here";
    const takers = runtime.parts.leases
      .cluster()
      .others.filter(({ address, leaving, owns }) => owns && !leaving && address !== unreachable);
    const taker = takers[Math.floor(Math.random() * takers.length)];
    return taker === undefined ? null : { address: taker.address };
  };
  const known = find();
  if (known !== null) return known;
  await runtime.look();
  return find();
}
