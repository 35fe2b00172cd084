/** What a run of a draft is given, where that is known before it is written: values by the names of variables. */
import { type FieldViolation, isOrchestratorError } from "../../base/errors.ts";
import type { JsonObject } from "../../base/json/json.ts";
import { checkInput } from "../input.ts";
import type { Plan } from "../plan.ts";

/** The input of a run of the draft: what its variables take of what is given. */
export function pickGiven({ variables }: Pick<Plan, "variables">, given: JsonObject): JsonObject {
  return Object.fromEntries(
    variables.flatMap(({ name }) => (Object.hasOwn(given, name) ? [[name, given[name] ?? null]] : [])),
  );
}

/** Why a run of the draft could not start with what it is given; none: it could. */
export function findUnmet(plan: Plan, given: JsonObject): readonly FieldViolation[] {
  try {
    checkInput(plan, pickGiven(plan, given), Date.now());
    return [];
  } catch (error) {
    if (!isOrchestratorError(error) || error.retry !== "no") throw error;
    const names = Object.keys(given);
    const cure = names.length === 0 ? "a run is given no variables" : `a run is given only ${names.join(", ")}`;
    const found = error.violations.length > 0 ? error.violations : [{ field: "", description: error.message }];
    return found.map(({ field, description }) => ({
      field: "variables",
      description: `${field === "" ? "" : `${field}: `}${description}; ${cure}`,
    }));
  }
}
