/** What the service needs of others: PostgreSQL, Kafka, Redis, Reflex, and the tools that tasks call. */
import type { DashboardPlan } from "./dashboard.ts";
import { figure, graph, states } from "./panel.ts";
import { inRange, maxOf, minOf, ofDatabase, perSecond, quantile, quantiles, sumOf, top } from "./query.ts";

export const DEPENDENCIES: DashboardPlan = {
  uid: "orchestrator-dependencies",
  title: "Orchestrator / Dependencies",
  description: "What the service needs of others: PostgreSQL, Kafka, Redis, Reflex, and the tools that tasks call.",
  rows: [
    {
      title: "At a glance",
      panels: [
        figure({
          ...{ title: "All reached", unit: "count", limits: [1, 0.5] },
          description: "0 while an instance does not reach something that it is connected to.",
          queries: [{ expr: minOf("orchestrator_connected"), legend: "reached" }],
        }),
        figure({
          ...{ title: "Waiting for a connection", unit: "count", limits: [1, 10] },
          description: "Callers that wait for a connection to the database, of the worst pool.",
          queries: [{ expr: maxOf("orchestrator_db_pool_waiting"), legend: "waiting" }],
        }),
        figure({
          ...{ title: "Commit time, p95", unit: "seconds", limits: [0.1, 0.5], next: "orchestrator-recovery" },
          description: "Nineteen of twenty statements of the commit pipeline are faster.",
          queries: [{ expr: quantile(0.95, "orchestrator_commit_seconds"), legend: "p95" }],
        }),
        figure({
          ...{ title: "Breakers opened", unit: "count", limits: [1, 10] },
          description: "Times in the time shown that calls to a tool were stopped because it failed.",
          queries: [{ expr: inRange("orchestrator_breaker_moves_total", { where: 'state="OPEN"' }), legend: "opened" }],
        }),
        figure({
          ...{ title: "Overrides in force", unit: "count" },
          description: "Breakers and bulkheads that an operator holds open, closed, or resized.",
          queries: [{ expr: maxOf("orchestrator_tool_overrides"), legend: "overrides" }],
        }),
        figure({
          ...{ title: "Goals not shown yet", unit: "count" },
          description: "Goals whose last change the tables do not show yet. Normal: a few, for a moment.",
          queries: [{ expr: ofDatabase("orchestrator_unshown_goals"), legend: "unshown" }],
        }),
        states(
          {
            ...{ title: "Connections", unit: "count", span: 24 },
            description: "Whether each instance reaches what it is connected to.",
            queries: [{ expr: minOf("orchestrator_connected", { by: "to, instance" }), legend: "{{to}} {{instance}}" }],
          },
          { 1: "reached", 0: "not reached" },
        ),
      ],
    },
    {
      title: "PostgreSQL",
      panels: [
        graph(
          {
            ...{ title: "Connections by pool", unit: "count" },
            description: "Idle and in use, of all instances. A pool without idle ones makes callers wait.",
            queries: [
              { expr: sumOf("orchestrator_db_pool_connections", { by: "pool, state" }), legend: "{{pool}} {{state}}" },
            ],
          },
          { stacked: true },
        ),
        graph({
          ...{ title: "Wait for a connection, p95", unit: "seconds", limits: [0.1, 1] },
          description: "By pool. Normal: a few milliseconds.",
          queries: [{ expr: quantile(0.95, "orchestrator_db_pool_wait_seconds", { by: "pool" }), legend: "{{pool}}" }],
        }),
        graph({
          ...{ title: "Callers that wait", unit: "count" },
          description: "By pool and instance. Normal: none.",
          queries: [
            {
              expr: sumOf("orchestrator_db_pool_waiting", { by: "pool, instance" }),
              legend: "{{pool}} {{instance}}",
            },
          ],
        }),
      ],
    },
    {
      title: "Tools",
      panels: [
        graph({
          ...{ title: "Calls to tools", unit: "requests" },
          description: "The ten busiest pairs of task type and result.",
          queries: [
            {
              expr: top(perSecond("orchestrator_tool_calls_total", { by: "type, result" })),
              legend: "{{type}} {{result}}",
            },
          ],
        }),
        graph({
          ...{ title: "Moves of breakers", unit: "events" },
          description: "Breakers that open stop calls to a tool that fails; half-open ones try it.",
          queries: [{ expr: perSecond("orchestrator_breaker_moves_total", { by: "state" }), legend: "{{state}}" }],
        }),
        graph({
          ...{ title: "Overrides by kind", unit: "count" },
          description: "As the instance that knows most of them sees it.",
          queries: [{ expr: maxOf("orchestrator_tool_overrides", { by: "kind" }), legend: "{{kind}}" }],
        }),
      ],
    },
    {
      title: "Redis",
      panels: [
        graph({
          ...{ title: "States of runs", unit: "events" },
          description: "States that are written for readers in Redis. Dropped ones were lost while it was away.",
          queries: [{ expr: perSecond("orchestrator_hot_states_total", { by: "result" }), legend: "{{result}}" }],
        }),
        graph({
          ...{ title: "Messages", unit: "events" },
          description: "Messages of channels and streams, by what became of them.",
          queries: [{ expr: perSecond("orchestrator_redis_messages_total", { by: "what" }), legend: "{{what}}" }],
        }),
      ],
    },
    {
      title: "The gate",
      panels: [
        graph({
          ...{ title: "Calls of Reflex", unit: "requests" },
          description: "Errors mean that goals are refused and calls deferred.",
          queries: [
            { expr: perSecond("octollm_orchestrator_reflex_calls_total", { by: "result" }), legend: "{{result}}" },
          ],
        }),
        graph({
          ...{ title: "Time of calls of Reflex", unit: "seconds", limits: [0.1, 1] },
          description: "Tries and time in line included. After 5 s a call is given up.",
          queries: quantiles("orchestrator_reflex_call_seconds"),
        }),
        graph({
          ...{ title: "Wait for the gate, p99", unit: "seconds", limits: [0.05, 0.1], next: "orchestrator-slo" },
          description: "How long goals, and calls with rules, wait for a verdict. The objective allows 100 ms.",
          queries: [{ expr: quantile(0.99, "orchestrator_gate_seconds", { by: "checked" }), legend: "{{checked}}" }],
        }),
        graph({
          ...{ title: "Goals checked", unit: "events" },
          description: "By verdict. Those with `shadow_` changed nothing.",
          queries: [{ expr: perSecond("orchestrator_gate_checks_total", { by: "verdict" }), legend: "{{verdict}}" }],
        }),
        graph({
          ...{ title: "Calls that a policy stopped", unit: "events" },
          description: "By rule and verdict. A sudden lead of one rule is a policy that is too strict, or an attack.",
          queries: [
            {
              expr: top(perSecond("orchestrator_gated_calls_total", { by: "rule, verdict" })),
              legend: "{{rule}} {{verdict}}",
            },
          ],
        }),
        graph({
          ...{ title: "Goals not shown yet, over time", unit: "count" },
          description: "A pile that stays means that the tables of goals are locked or refuse a row.",
          queries: [{ expr: ofDatabase("orchestrator_unshown_goals"), legend: "unshown" }],
        }),
      ],
    },
  ],
};
