import type { UndeliveredMessages } from "../../../src/engine/ports/bus/undelivered.ts";

/** Everything was delivered. */
export function createFakeUndelivered(): UndeliveredMessages {
  const change = async () => ({ ids: [], hasMore: false });
  return { list: async () => [], find: async () => null, redeliver: change, drop: change, look() {} };
}
