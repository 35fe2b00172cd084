/** Allow lists of a policy: what the tasks of a flow may call. */
import { z } from "zod";
import { SERVICE_NAME, SERVICE_NAME_RULE } from "../../base/net/service-name.ts";
import { CALLING_TYPES } from "./task-types.ts";
import { described, keyedBy } from "./words.ts";

const origin = z.string().refine((text) => URL.parse(text)?.origin === text && /^https?:[^*]+$/.test(text), {
  error: "expected an origin, such as https://api.example.com or http://10.0.0.7:8080",
});

const model = z.string().regex(/^[^/\s]+\/\S+$/, { error: "expected a provider and a model: provider/model" });

const serviceName = z.string().regex(SERVICE_NAME, { error: `expected the name of a service: ${SERVICE_NAME_RULE}` });

/** Schema of an allow list. */
export const ALLOW = keyedBy({
  types: described(z.array(z.enum(CALLING_TYPES)), "types of tasks that leave the flow; without it, all").optional(),
  services: described(
    z.array(serviceName),
    "services that http tasks may name; with neither this nor origins, http tasks may call everything",
  ).optional(),
  origins: described(
    z.array(origin),
    "origins of the URLs that http tasks may call, redirects included; see services",
  ).optional(),
  models: described(
    z.array(model),
    "models, provider/model, that ai tasks may ask, fallbacks included; without it, all",
  ).optional(),
});

/** An allow list with the key under which the policy has it. */
export interface AllowList {
  readonly key: string;
  readonly said: z.output<typeof ALLOW>;
}

/** What a call reaches. */
export interface CallTarget {
  /** The service that an `http` task names; empty: none. */
  readonly service: string;
  /** Origin that an `http` task calls, if it names no service; empty: it has no valid URL. */
  readonly origin: string;
  /** Models that an `ai` task may ask, as `provider/model`; null: somebody else chooses. */
  readonly models: readonly string[] | null;
}

/** Why a call is denied that no list has. */
export interface OutsideLists {
  readonly rule: "allow.types" | "allow.services" | "allow.origins" | "allow.models";
  /** What is not allowed, and the key of the list that would have to have it. */
  readonly why: string;
}

/**
 * What is outside the lists, of which the nearest one that speaks of a kind counts; null: nothing, or the type calls
 * nothing.
 */
export function findOutside(lists: readonly AllowList[], type: string, target: CallTarget): OutsideLists | null {
  if (!CALLING_TYPES.some((one) => one === type)) return null;
  const types = lists.find(({ said }) => said.types !== undefined);
  if (types?.said.types?.some((one) => one === type) === false)
    return { rule: "allow.types", why: `tasks of type ${type} are not in ${types.key}.types` };
  if (type === "http") return findOutsidePlace(lists, target);
  return type === "ai" ? findOutsideModel(lists, target.models) : null;
}

/** Why an origin may not be called; null: it may. */
export function findOutsideOrigin(lists: readonly AllowList[], origin: string): OutsideLists | null {
  const places = lists.find(speaksOfPlaces);
  if (places === undefined || places.said.origins?.includes(origin) === true) return null;
  const called = origin === "" ? "the origin of the call" : origin;
  return { rule: "allow.origins", why: `${called} is not in ${places.key}.origins` };
}

function findOutsidePlace(lists: readonly AllowList[], { service, origin }: CallTarget): OutsideLists | null {
  if (service === "") return findOutsideOrigin(lists, origin);
  const places = lists.find(speaksOfPlaces);
  if (places === undefined || places.said.services?.includes(service) === true) return null;
  return { rule: "allow.services", why: `service ${service} is not in ${places.key}.services` };
}

function findOutsideModel(lists: readonly AllowList[], asked: CallTarget["models"]): OutsideLists | null {
  const models = lists.find(({ said }) => said.models !== undefined);
  if (models === undefined) return null;
  if (asked === null)
    return { rule: "allow.models", why: `the task does not name its model, which has to be in ${models.key}.models` };
  const outside = asked.find((one) => models.said.models?.includes(one) !== true);
  if (outside === undefined) return null;
  return { rule: "allow.models", why: `model ${outside} is not in ${models.key}.models` };
}

/** Services and origins are one list of places: who allows some of one kind allows nothing of the other. */
function speaksOfPlaces({ said }: AllowList): boolean {
  return said.services !== undefined || said.origins !== undefined;
}
