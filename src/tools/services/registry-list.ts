/** What a registry answers: a list of services, or an object that has it as `droplets`. */
import { z } from "zod";
import { SERVICE_NAME } from "../../base/net/service-name.ts";
import { NO_POLICY } from "../service-policy.ts";
import { baseOf, type NamedService } from "./directory.ts";

/** The services of a list. */
export interface ListedServices {
  readonly services: readonly NamedService[];
  /** Entries without a usable name or address, and those whose name came before. */
  readonly skipped: number;
}

const answer = z.union([
  z.array(z.unknown()),
  z.object({ droplets: z.array(z.unknown()) }).transform(({ droplets }) => droplets),
  z
    .object({ droplets: z.record(z.string(), z.looseObject({})) })
    .transform(({ droplets }): unknown[] => Object.entries(droplets).map(([name, entry]) => ({ name, ...entry }))),
]);

const entry = z.looseObject({
  name: z.string().refine((text) => SERVICE_NAME.test(text)),
  endpoint: z.unknown().optional(),
  url: z.unknown().optional(),
});

/** Reads a list; null: it is none. */
export function readListed(value: unknown): ListedServices | null {
  const read = answer.safeParse(value);
  if (!read.success) return null;
  const services = new Map<string, NamedService>();
  for (const one of read.data) {
    const service = toService(one);
    if (service !== null && !services.has(service.name)) services.set(service.name, service);
  }
  return { services: [...services.values()], skipped: read.data.length - services.size };
}

function toService(value: unknown): NamedService | null {
  const read = entry.safeParse(value);
  if (!read.success) return null;
  const { name, endpoint, url } = read.data;
  const place = [endpoint, url].find((text): text is string => typeof text === "string" && text !== "") ?? "";
  const parsed = URL.parse(place);
  if (parsed === null || !["http:", "https:"].includes(parsed.protocol)) return null;
  if (parsed.username + parsed.password + parsed.search + parsed.hash !== "" || /[\s\u0000-\u001f]/.test(place))
    return null;
  return {
    name,
    source: "registry",
    entry: { url: place },
    baseUrl: baseOf(place),
    headers: async () => ({}),
    headerNames: [],
    secretNames: [],
    timeoutMs: null,
    policy: NO_POLICY,
    limit: null,
    healthPath: null,
  };
}
