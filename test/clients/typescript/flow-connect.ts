/**
 * Registers a flow, starts it, watches it to its end and asks for one that is missing, with Connect. Arguments: the
 * file of the flow and the protocol (`connect`, `grpc` or `grpc-web`). ORCHESTRATOR_TEST_ADDR: host and port of the
 * service. Prints one line of JSON.
 */
import { readFileSync } from "node:fs";
import { toJson } from "@bufbuild/protobuf";
import { ValueSchema } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { ErrorInfoSchema } from "orchestrator-flows-client/connect/errors";
import { FlowService, RunService, type RunState, RunStateSchema } from "orchestrator-flows-client/connect/v1";

const [, , flowFile = "", protocol = "connect"] = process.argv;
const baseUrl = `http://${process.env.ORCHESTRATOR_TEST_ADDR}`;
const transports = {
  connect: () => createConnectTransport({ baseUrl, httpVersion: "1.1" }),
  grpc: () => createGrpcTransport({ baseUrl }),
  "grpc-web": () => createGrpcWebTransport({ baseUrl, httpVersion: "1.1" }),
};
const transport = transports[protocol as keyof typeof transports]();
const flows = createClient(FlowService, transport);
const runs = createClient(RunService, transport);
const nameOf = (state: RunState): string => RunStateSchema.value[state].name;
const inputValue = { case: "inputJson", value: new TextEncoder().encode('{"count": 21}') } as const;
const frames: string[] = [];
let ordered = true;
let last = 0;
let state = "";
let output: unknown = null;
let code = "";
let reason = "";

const { flow } = await flows.registerFlow({ definition: { case: "source", value: readFileSync(flowFile, "utf8") } });
const started = await runs.startRun({ flowId: "client-check", inputValue });
for await (const { frame } of runs.watchRun({ runId: started.run?.runId ?? "" })) {
  if (frame.case === "snapshot") last = frame.value.run?.sequence ?? 0;
  if (frame.case === "event" && frame.value.durable) {
    ordered &&= frame.value.sequence === last + 1;
    last = frame.value.sequence;
  }
  if (frame.case === "end") {
    state = nameOf(frame.value.run?.state ?? 0);
    const given = frame.value.run?.outputValue;
    output = given?.case === "output" ? toJson(ValueSchema, given.value) : null;
  }
  if (["snapshot", "event", "end"].includes(frame.case ?? "")) frames.push(frame.case ?? "");
}
const waited = await runs.startRun({ flowId: "client-check", inputValue, wait: { seconds: 20n } });
try {
  await runs.startRun({ flowId: "missing" });
} catch (error) {
  if (!(error instanceof ConnectError)) throw error;
  code = Code[error.code];
  reason = error.findDetails(ErrorInfoSchema)[0]?.reason ?? "";
}
console.log(
  JSON.stringify({
    flow: `${flow?.flowId}@${flow?.version}`,
    frames,
    ordered,
    state,
    output,
    waited: nameOf(waited.run?.state ?? 0),
    code,
    reason,
  }),
);
