/** Metrics of messages that wait to be sent. */
import type { OutboxGates } from "../../engine/runs/dispatch/outbox-gate.ts";
import type { Metrics } from "./metrics.ts";

/** Sets the gauges at each reading. */
export function createOutboxGauges(metrics: Metrics): (gates: OutboxGates) => void {
  return (gates) => {
    for (const [carrier, gate] of Object.entries(gates))
      for (const [place, { messages, bytes }] of gate.backlogs) {
        metrics.gauge("orchestrator_outbox_messages", carrier, place).set(messages);
        metrics.gauge("orchestrator_outbox_bytes", carrier, place).set(bytes);
        metrics.gauge("orchestrator_outbox_full", carrier, place).set(gate.isFullFor(place) ? 1 : 0);
      }
  };
}
