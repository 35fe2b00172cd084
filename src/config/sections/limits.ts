import { setting, sizeSetting } from "../setting-types.ts";

const MB = 1_024 * 1_024;

/** Limits of calls and runs. */
export const LIMITS = {
  maxPayloadBytes: setting({
    schema: sizeSetting(1_024, 4 * MB),
    default: "2MB",
    env: ["ORCHESTRATOR_MAX_PAYLOAD_BYTES"],
    text: "Largest input, signal, or form, as JSON.",
  }),
  maxInlinePayloadBytes: setting({
    schema: sizeSetting(1_024, 4 * MB),
    default: "256KB",
    env: ["ORCHESTRATOR_MAX_INLINE_PAYLOAD_BYTES"],
    text: "Larger payloads are returned as a reference, unless the read mask asks for their JSON.",
  }),
  maxFlowBytes: setting({
    schema: sizeSetting(1_024, 256 * 1_024),
    default: "256KB",
    env: ["ORCHESTRATOR_MAX_FLOW_BYTES"],
    text: "Largest source text of a flow.",
  }),
  maxMessageBytes: setting({
    schema: sizeSetting(64 * 1_024, 64 * MB),
    default: "4MB",
    env: ["ORCHESTRATOR_MAX_MESSAGE_BYTES"],
    text: "Largest request of any protocol.",
  }),
} as const;
