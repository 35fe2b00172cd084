/** A run whose ids are as long as they may be, with children, a second visit, and a child run. */

import type { ApiClient } from "../../src/api/client/client.ts";
import { childRunId } from "../../src/base/ids.ts";
import { FlowService } from "../../src/gen/orchestrator/v1/flow_service_pb.ts";
import { RunService } from "../../src/gen/orchestrator/v1/run_service_pb.ts";

const fill = (start: string, length: number, from: string): string =>
  start + Array.from({ length: length - start.length }, (_, index) => from[index % from.length]).join("");

/** State, and task of the child run. */
const STATE = fill("s", 64, "abcdefghij_0123456789");
const TASK = fill("t", 64, "z-y_9");
const SUBFLOW = fill("u", 64, "x1_");
const FLOW = { parent: fill("p", 64, "long-"), child: fill("c", 64, "long_") };

/** What a caller may choose. */
export const LONG_RUN_ID = fill("R", 100, "un.id_-0");
export const LONG_CORRELATION_ID = "c".repeat(128);
/** Tasks of the runs, in the order of their work. */
export const LONG_PLACES = [
  ...[`${STATE}~1.0`, `${STATE}~1.1`, `${STATE}~2.0`, `${STATE}~2.1`].map((path) => `${LONG_RUN_ID} ${path}`),
  `${childRunId(LONG_RUN_ID, `${SUBFLOW}~1`, 1)} ${TASK}`,
];
/** Its output, if each task gives how often tasks were done before it, from 1. */
export const LONG_OUTPUT = { visits: [3, 4], child: 5 };

/** Registers the flows; `task` is what a task is beside its id, as JSON. Starts the run unless `starts` is false. */
export async function startLongRun(client: ApiClient, task: object, starts = true): Promise<void> {
  const again = `\${${STATE}.output.outputs[0] < 3}`;
  const documents = [
    {
      id: FLOW.child,
      version: "v".repeat(64),
      workflow: { tasks: [{ id: TASK, ...task }], output: `\${tasks["${TASK}"].output}` },
    },
    {
      id: FLOW.parent,
      version: "v".repeat(64),
      workflow: {
        states: [
          {
            id: STATE,
            task: { type: "map", parameters: { items: [1, 2], max_concurrency: 1, task } },
            transitions: [{ when: again, to: STATE }, { to: SUBFLOW }],
          },
          {
            id: SUBFLOW,
            task: { type: "subflow", parameters: { flow_id: FLOW.child } },
            transitions: [{ to: "done" }],
          },
          { id: "done", final: "completed" },
        ],
        output: { visits: `\${${STATE}.output.outputs}`, child: `\${${SUBFLOW}.output}` },
      },
    },
  ];
  for (const document of documents) {
    const value = JSON.stringify({ name: "Long", ...document });
    await client.call(FlowService.method.registerFlow, { definition: { case: "source", value } });
  }
  if (!starts) return;
  await client.call(RunService.method.startRun, {
    ...{ flowId: FLOW.parent, runId: LONG_RUN_ID, correlationId: LONG_CORRELATION_ID, userId: "u".repeat(128) },
  });
}

/** The message of a topic that starts the run. */
export const LONG_MESSAGE = {
  ...{ run_id: LONG_RUN_ID, flow_id: FLOW.parent, correlation_id: LONG_CORRELATION_ID },
};
