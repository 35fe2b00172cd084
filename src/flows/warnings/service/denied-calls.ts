import type { Json, JsonObject } from "../../../base/json/json.ts";
import { originOf } from "../../../base/net/origin.ts";
import { holdsExpression } from "../../interpolation/template.ts";
import type { PlannedCall, WarningCheck } from "../warning.ts";

/** Warns about calls that the gate policy of the service denies in every run. */
export const checkCallsAreAllowed: WarningCheck = ({ document, tasks }, report, world) => {
  if (world?.whyDenied === undefined) return;
  for (const { type, task, path } of tasks) {
    const parameters = (task.parameters ?? {}) as JsonObject;
    const why = world.whyDenied({ flowId: document.id, type, ...targetOf(type, parameters) });
    if (why === null) continue;
    report(
      "GATE_DENIES_CALL",
      path,
      `the gate policy denies this call: ${why}`,
      "call what the policy allows, or change it",
    );
  }
};

type Target = Pick<PlannedCall, "service" | "origin" | "models">;

function targetOf(type: string, { service, url, provider, model, fallback }: JsonObject): Target {
  const others = Array.isArray(fallback) ? (fallback as readonly JsonObject[]) : [];
  const names = [{ provider, model }, ...others].map((one) => [one.provider ?? provider, one.model].map(constantOf));
  const isNamed = type === "ai" && names.every((pair) => pair.every((name) => name !== null));
  return {
    service: constantOf(service),
    origin: typeof url === "string" ? knownOrigin(url) : null,
    models: isNamed ? names.map((pair) => pair.join("/")) : null,
  };
}

function constantOf(value: Json | undefined): string | null {
  return typeof value === "string" && !holdsExpression(value) ? value : null;
}

/** The origin of a URL that may have expressions behind its host; null: they may be part of it. */
function knownOrigin(url: string): string | null {
  if (!holdsExpression(url)) return originOf(url);
  const place = /^https?:\/\/[^/?#$]+[/?#]/i.exec(url)?.[0];
  return place === undefined ? null : originOf(place);
}
