import { z } from "zod";
import { defineTaskType } from "./define.ts";
import { anyJson, keyed } from "./schema/schemas.ts";

/** `step`: a part of a flow that the service itself brings. Flows of users cannot contain it. */
export const step = defineTaskType({
  type: "step",
  effect: "effectful",
  summary: "Does something inside the service, for the flows that the service itself brings.",
  documentation: "Only flows that the service itself brings contain it.",
  parameters: keyed({
    step: z.string().min(1).max(64).meta({ description: "What is done." }),
    input: z.record(z.string(), anyJson).meta({ description: "What it is done with." }),
  }),
  result: anyJson,
  example: "",
});
