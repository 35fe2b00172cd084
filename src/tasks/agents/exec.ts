import { z } from "zod";
import { defineTaskType } from "../define.ts";
import { anyJson } from "../schema/schemas.ts";
import { ABOUT_AGENTS, AGENT_TIMEOUT_MS, toAgents } from "./leaving.ts";

/** `exec`: a program, which an agent runs. */
export const exec = defineTaskType({
  type: "exec",
  effect: "remote",
  leaving: toAgents("exec"),
  defaultTimeoutMs: AGENT_TIMEOUT_MS,
  summary: "Asks an exec agent to run a program, in a container or beside it.",
  documentation: ABOUT_AGENTS,
  parameters: z.looseObject({
    image: z.string().max(255).optional().meta({ description: "Container image, or what stands for it." }),
    command: anyJson.meta({ description: "The program and its arguments, or a line for the shell." }),
    files: anyJson.optional().meta({ description: "Files that are there at the start: `[{name, content}, …]`." }),
  }),
  result: anyJson,
  example: `id: process
type: exec
parameters:
  image: "python:3.9-slim"
  command: [python, /workspace/input/process.py]
  files:
    - {name: process.py, content: "print(1)"}
timeout: 300
`,
});
