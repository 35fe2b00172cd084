/** A client whose calls go to several instances, as a proxy in front of them would spread them. */
import type { ApiClient } from "../../src/api/client/client.ts";

/** Sends each call to the next of the clients that `open` gives, in turn. */
export function createSpreadClient(open: () => readonly ApiClient[]): ApiClient {
  let turn = 0;
  const next = (): ApiClient => {
    const clients = open();
    turn += 1;
    const client = clients[turn % clients.length];
    if (client === undefined) throw new Error("there is no instance");
    return client;
  };
  return {
    call: (...of) => next().call(...of),
    stream: (...of) => next().stream(...of),
    close: () => {},
  } as ApiClient;
}
