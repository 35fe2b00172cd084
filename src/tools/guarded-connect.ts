/** Connections that are made only to addresses which the policy allows, and only to those very addresses. */
import { lookup as resolveByDns } from "node:dns";
import { isIP, type LookupFunction } from "node:net";
import type { buildConnector } from "undici";
import type { AddressPolicy, Destination } from "./address-policy.ts";

/** The policy does not allow the address. */
export class AddressRefused extends Error {}

/** No connection was made: nothing was sent. `cause` says why. */
export class ConnectFailed extends Error {}

/** Longest time for name resolution, TCP and TLS together, milliseconds. */
const CONNECT_TIMEOUT_MS = 10_000;

/**
 * A connector for one destination. The name is resolved once per connection; the connection goes to an address of that answer which the policy allows,
 * so a name that changes its mind between check and use gains nothing.
 */
export function createGuardedConnector(
  build: typeof buildConnector,
  policy: AddressPolicy,
  destination: Destination,
  resolve: LookupFunction = resolveByDns as LookupFunction,
): buildConnector.connector {
  const lookup: LookupFunction = (hostname, options, callback) => {
    resolve(hostname, { ...options, all: true }, (error, answer) => {
      if (error !== null) return callback(error, "");
      const found = Array.isArray(answer) ? answer : [];
      const allowed = found.filter(({ address }) => policy.judge(address, destination) === null);
      const [first] = allowed;
      if (first === undefined) {
        const why = policy.judge(found[0]?.address ?? "", destination) ?? "";
        return callback(refuse(destination, why), "");
      }
      if (options.all === true) callback(null, allowed);
      else callback(null, first.address, first.family);
    });
  };
  const connect = build({ lookup, allowH2: false, timeout: CONNECT_TIMEOUT_MS });
  return (options, callback) => {
    // Node connects to an address that is written out without asking `lookup`.
    const why = isIP(destination.host) === 0 ? null : policy.judge(destination.host, destination);
    if (why !== null) return callback(refuse(destination, why), null);
    connect(options, (...result) => {
      const [error] = result;
      if (error === null) callback(...result);
      else callback(error instanceof AddressRefused ? error : new ConnectFailed(error.message, { cause: error }), null);
    });
  };
}

function refuse({ host, port }: Destination, why: string): AddressRefused {
  return new AddressRefused(`${host}:${port} is ${why}`);
}
