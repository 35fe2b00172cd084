import { fail } from "../../../base/errors.ts";
import { readGatePolicy } from "../../../config/gate-policy.ts";
import type { GatePolicy } from "../../../guards/policy/policy.ts";

/** Reads the policy that a command names. Errors: INVALID_REQUEST with the file and line of every mistake. */
export async function readPolicy(file: string): Promise<GatePolicy> {
  const reading = await readGatePolicy(file);
  if (reading.policy !== null) return reading.policy;
  const violations = reading.problems.map(({ place, problem }) => ({ field: place, description: problem }));
  const [first] = violations;
  const problem =
    violations.length === 1 && first !== undefined
      ? `${first.field}: ${first.description}`
      : `${file} is no gate policy: ${violations.length} mistakes (docs/how-to/write-a-gate-policy.md)`;
  return fail("INVALID_REQUEST", { problem, field: file.slice(0, 200) }, { violations });
}
