/** The call path of tools and its adapters. */
import type { Log } from "../../../base/log.ts";
import { systemClock } from "../../../base/time/clock.ts";
import type { Config } from "../../../config/settings.ts";
import type { Steps } from "../../../engine/ports/generation/steps.ts";
import type { GraphHost } from "../../../engine/ports/graphs.ts";
import type { TargetRules } from "../../../engine/ports/routing/tool-overrides.ts";
import type { CallGate } from "../../../guards/call-gate.ts";
import { createAdapters } from "../../../tools/index.ts";
import type { ModelAdapterOptions } from "../../../tools/model/model.ts";
import { createToolCaller } from "../../../tools/path/caller.ts";
import type { CallSpans } from "../../../tools/path/trace-step.ts";
import { countGated } from "../gate.ts";
import type { Parts } from "../parts.ts";
import { callPolicyOf, registryPolicyOf, type Services } from "./services.ts";

/** What adapters need. */
export interface ToolNeeds {
  readonly graphs: GraphHost | undefined;
  readonly services: Services;
  readonly models: ModelAdapterOptions | undefined;
  readonly steps: Steps;
  readonly rules: TargetRules;
  /** Null: all calls are allowed. */
  readonly gate: CallGate | null;
  /** Null: nothing is traced. */
  readonly spans: CallSpans | null;
}

/** Opens the tools. */
export function openTools(
  config: Config,
  { graphs, services, models, steps, rules, gate, spans }: ToolNeeds,
  log: Log,
  parts: Parts,
): ReturnType<typeof createToolCaller> {
  const { metrics } = parts;
  const tools = createToolCaller({
    adapters: createAdapters({
      http: {
        policy: { allowPrivate: false, allow: config.http.allow },
        services: services.directory,
        contacts: services.contacts,
        registryPolicy: registryPolicyOf(config),
        callPolicy: callPolicyOf(config),
        clock: systemClock,
        maxResponseBytes: config.http.maxResponseBytes,
        maxRedirects: config.http.maxRedirects,
      },
      ...(graphs === undefined ? {} : { graphs }),
      models,
      steps,
    }),
    policyOf: (service, tenantId) => services.directory.find(service, tenantId)?.policy ?? null,
    rules: withServices(rules, services.put),
    gate,
    spans,
    policies: {
      failuresToOpen: config.tools.breakerFailures,
      openMs: config.tools.breakerOpen,
      maxOpenMs: config.tools.breakerMaxOpen,
      maxConcurrent: config.tools.maxConcurrent,
      maxQueued: config.tools.maxQueued,
    },
    log,
    clock: systemClock,
    metrics: {
      called(type, result, seconds) {
        metrics.histogram("orchestrator_task_execution_seconds", type).observe(seconds);
        metrics.counter("orchestrator_tool_calls_total", type, result).add();
      },
      gated: countGated(parts),
      breakerChanged: (state) => metrics.counter("orchestrator_breaker_moves_total", state).add(),
    },
  });
  parts.onClose(() => tools.close());
  return tools;
}

/** What is said of a service changes as overrides do. */
function withServices(rules: TargetRules, services: Services["put"]): TargetRules {
  return {
    get version() {
      return rules.version + services.version();
    },
    ruleOf: rules.ruleOf,
    findStopped: rules.findStopped,
    onChange(listener) {
      rules.onChange(listener);
      services.onChange(listener);
    },
    onReset: rules.onReset,
  };
}
