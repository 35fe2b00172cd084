/** A flow that says what started it, one that waits, and triggers of both, at a running service. */
import { onTestFinished } from "vitest";
import { openGrpcClient } from "../../src/api/client/grpc-client.ts";
import { FlowService } from "../../src/gen/orchestrator/v1/flow_service_pb.ts";
import { RunService } from "../../src/gen/orchestrator/v1/run_service_pb.ts";
import { TriggerOutcome } from "../../src/gen/orchestrator/v1/trigger_pb.ts";
import { TriggerService } from "../../src/gen/orchestrator/v1/trigger_service_pb.ts";

const FLOW = `id: told
name: Told
version: "1"
variables: [{name: what, type: any}]
workflow:
  tasks:
    - {id: done, type: transform, parameters: {output: "\${vars.what}"}}
`;

/** A flow that waits for a signal and says what it brought. */
const AWAITING = `id: awaiting
name: Awaiting
version: "1"
workflow:
  tasks:
    - {id: paid, type: signal}
    - {id: done, type: transform, depends_on: [paid], parameters: {output: "\${tasks.paid.output}"}}
`;

/** A start with a key, and a signal to the run with the key, for events of the kinds `order` and `paid`. */
export function keyedTriggers(source: string): readonly string[] {
  const of = (id: string, kind: string, action: string): string =>
    `id: ${id}\nflow_id: awaiting\nsource: ${source}\nwhen: \${event.body.kind == "${kind}"}\n${action}\n`;
  return [
    of("ordered", "order", 'start: {run_key: "${event.body.id}", run_key_policy: return_existing}'),
    of("paid", "paid", 'signal: {run_key: "${event.body.id}", name: paid, payload: "${event.body.n}"}'),
  ];
}

/** What a test of triggers does at a service. */
export interface TriggeredFlow {
  put(source: string): Promise<unknown>;
  pause(triggerId: string): Promise<unknown>;
  resume(triggerId: string): Promise<unknown>;
  remove(triggerId: string): Promise<unknown>;
  /** Outcomes of events. */
  counts(triggerId: string): Promise<Record<string, number>>;
  /** Outputs of all runs, sorted by their JSON. */
  outputs(): Promise<readonly unknown[]>;
}

/** Registers the flows. */
export async function openTriggeredFlow(address: string): Promise<TriggeredFlow> {
  const client = openGrpcClient({ address });
  onTestFinished(() => client.close());
  for (const value of [FLOW, AWAITING])
    await client.call(FlowService.method.registerFlow, { definition: { case: "source", value } });
  const { method } = TriggerService;
  const names = new Map<number, string>(Object.entries(TriggerOutcome).map(([name, number]) => [number, name]));
  return {
    put: (source) => client.call(method.putTrigger, { source }),
    pause: (triggerId) => client.call(method.pauseTrigger, { triggerId }),
    resume: (triggerId) => client.call(method.resumeTrigger, { triggerId }),
    remove: (triggerId) => client.call(method.deleteTrigger, { triggerId }),
    async counts(triggerId) {
      const { trigger } = await client.call(method.getTrigger, { triggerId });
      const counts = trigger?.counts ?? [];
      return Object.fromEntries(counts.map(({ outcome, count }) => [names.get(outcome) ?? "", Number(count)]));
    },
    async outputs() {
      const { runs } = await client.call(RunService.method.listRuns, { pageSize: 100 });
      const texts = runs.map(async ({ runId }) => {
        const { run } = await client.call(RunService.method.getRun, { runId, readMask: { paths: ["output_json"] } });
        return run?.outputValue.case === "outputJson" ? new TextDecoder().decode(run.outputValue.value) : "null";
      });
      return (await Promise.all(texts)).sort().map((text) => JSON.parse(text));
    },
  };
}
