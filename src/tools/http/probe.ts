/** Whether a service can be reached, without a task that calls it. */
import { connect } from "node:net";
import type { NamedService } from "../services/directory.ts";
import type { AddressPolicy } from "./address-policy.ts";
import { checkLiteralAddress, createGuardedLookup } from "./guarded-connect.ts";
import { discardBody } from "./http-body.ts";
import { createHttpClient } from "./http-client.ts";
import { destinationOf } from "./http-request.ts";
import { urlAt } from "./service-url.ts";

/** How long a probe waits, milliseconds. */
const PROBE_MS = 1_000;
/** How much of an answer is read, bytes. */
const MAX_BYTES = 16_384;

/** A service with a path for it is asked how it is; of others a connection is enough. Never rejects. */
export function probeService(service: NamedService, policy: AddressPolicy): Promise<boolean> {
  return service.healthPath === null ? accepts(service, policy) : answersWell(service, service.healthPath, policy);
}

async function answersWell(service: NamedService, path: string, policy: AddressPolicy): Promise<boolean> {
  const client = createHttpClient(policy);
  try {
    const headers = lowerCased(await service.headers());
    const request = { method: "GET", url: urlAt(service, path), headers, body: null };
    const answer = await client.send(request, { signal: AbortSignal.timeout(PROBE_MS), silenceMs: 0 });
    await discardBody(answer, MAX_BYTES);
    return answer.statusCode !== undefined && answer.statusCode >= 200 && answer.statusCode < 300;
  } catch {
    return false; // whatever the reason: the service cannot be called
  } finally {
    client.close();
  }
}

function lowerCased(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}

/** Whether a connection can be made. Nothing is sent. */
function accepts({ baseUrl }: NamedService, policy: AddressPolicy): Promise<boolean> {
  return new Promise((resolve) => {
    const destination = destinationOf(baseUrl);
    try {
      checkLiteralAddress(policy, destination);
    } catch {
      resolve(false); // AddressRefused: calls are refused as well
      return;
    }
    const { host, port } = destination;
    const socket = connect({ host, port, lookup: createGuardedLookup(policy, destination), timeout: PROBE_MS });
    const end = (answered: boolean) => (): void => {
      resolve(answered);
      socket.destroy();
    };
    socket.once("connect", end(true)).once("timeout", end(false)).once("error", end(false));
  });
}
