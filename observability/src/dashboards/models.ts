/** Models: calls, tokens, cost, and the budgets that bound them. */
import type { DashboardPlan } from "./dashboard.ts";
import { figure, graph } from "./panel.ts";
import { inRange, ofDatabase, perSecond, ratio, sumOf, top } from "./query.ts";

const calls = perSecond("orchestrator_ai_calls_total");
const failed = perSecond("orchestrator_ai_calls_total", { where: 'result!="ok"' });
const lookups = perSecond("orchestrator_ai_cache_lookups_total");
const hits = perSecond("orchestrator_ai_cache_lookups_total", { where: 'result="HIT"' });

export const MODELS: DashboardPlan = {
  uid: "orchestrator-ai",
  title: "Orchestrator / Models and budgets",
  description: "Calls to models, what they read, write, and cost, and the budgets that bound them.",
  rows: [
    {
      title: "At a glance",
      panels: [
        figure({
          ...{ title: "Cost", unit: "dollars" },
          description: "Of calls to models that have a price, in the time shown.",
          queries: [{ expr: inRange("orchestrator_ai_cost_usd_total"), legend: "cost" }],
        }),
        figure({
          ...{ title: "Tokens used", unit: "count" },
          description: "Tokens read and written in the time shown.",
          queries: [{ expr: inRange("orchestrator_ai_tokens_total"), legend: "tokens" }],
        }),
        figure({
          ...{ title: "Failing calls", unit: "part", limits: [0.05, 0.25] },
          description: "Part of the calls to providers that end with an error.",
          queries: [{ expr: ratio(failed, calls), legend: "failing" }],
        }),
        figure({
          ...{ title: "Answers from the cache", unit: "part" },
          description: "Part of the looks into the cache that find an answer.",
          queries: [{ expr: ratio(hits, lookups), legend: "hits" }],
        }),
        figure({
          ...{ title: "Refused for a budget", unit: "count", limits: [1, 100] },
          description: "Calls and attempts that were not made for want of a budget, in the time shown.",
          queries: [{ expr: inRange("orchestrator_budget_refusals_total"), legend: "refused" }],
        }),
        figure({
          ...{ title: "Suspended runs", unit: "count", limits: [1, 10] },
          description: "Runs that wait for an operator, for a larger budget among other things.",
          queries: [
            { expr: ofDatabase("orchestrator_open_runs", { where: 'state="SUSPENDED"' }), legend: "suspended" },
          ],
        }),
      ],
    },
    {
      title: "Models",
      panels: [
        graph({
          ...{ title: "Calls by result", unit: "requests" },
          description: "Calls to providers, ok or with the type of their error.",
          queries: [{ expr: perSecond("orchestrator_ai_calls_total", { by: "result" }), legend: "{{result}}" }],
        }),
        graph({
          ...{ title: "Calls by model", unit: "requests" },
          description: "The ten models that are called most.",
          queries: [
            {
              expr: top(perSecond("orchestrator_ai_calls_total", { by: "provider, model" })),
              legend: "{{provider}} {{model}}",
            },
          ],
        }),
        graph({
          ...{ title: "Tokens", unit: "events" },
          description: "Tokens a second that models read (input) and write (output).",
          queries: [{ expr: perSecond("orchestrator_ai_tokens_total", { by: "direction" }), legend: "{{direction}}" }],
        }),
        graph({
          ...{ title: "Cost an hour by model", unit: "dollars" },
          description: "What an hour at this pace costs, of the ten most expensive models.",
          queries: [
            {
              expr: top(`3600 * ${perSecond("orchestrator_ai_cost_usd_total", { by: "provider, model" })}`),
              legend: "{{provider}} {{model}}",
            },
          ],
        }),
        graph({
          ...{ title: "Looks into the cache", unit: "events" },
          description: "HIT found an answer, MISS asked a model.",
          queries: [{ expr: perSecond("orchestrator_ai_cache_lookups_total", { by: "result" }), legend: "{{result}}" }],
        }),
        graph({
          ...{ title: "Calls that may have been made twice", unit: "events" },
          description: "Attempts that were repeated because their instance was lost, and calls whose end nobody knows.",
          queries: [
            { expr: perSecond("orchestrator_ai_repeated_calls_total"), legend: "repeated" },
            { expr: perSecond("orchestrator_budget_abandoned_calls_total"), legend: "charged in full" },
          ],
        }),
      ],
    },
    {
      title: "Budgets",
      panels: [
        graph({
          ...{ title: "Refusals", unit: "events" },
          description: "By what the budget is for. Held runs wait for an operator, deferred ones go on by themselves.",
          queries: [
            {
              expr: perSecond("orchestrator_budget_refusals_total", { by: "scope, result" }),
              legend: "{{scope}} {{result}}",
            },
          ],
        }),
        graph({
          ...{ title: "Warnings", unit: "events" },
          description: "Budgets of which four fifths are used up.",
          queries: [{ expr: perSecond("orchestrator_budget_warnings_total", { by: "scope" }), legend: "{{scope}}" }],
        }),
        graph({
          ...{ title: "Calls over their reservation", unit: "events" },
          description: "Calls that used more than was reserved for them, by model. The estimate for it is too low.",
          queries: [
            {
              expr: top(perSecond("orchestrator_budget_overrun_total", { by: "provider, model" })),
              legend: "{{provider}} {{model}}",
            },
          ],
        }),
      ],
    },
    {
      title: "The process of models",
      panels: [
        graph({
          ...{ title: "Starts", unit: "events" },
          description: "Starts of the process that talks to providers. Many are a process that dies.",
          queries: [{ expr: perSecond("orchestrator_model_process_starts_total"), legend: "starts" }],
        }),
        graph({
          ...{ title: "Memory", unit: "bytes" },
          description: "Of the process that talks to providers; 0 while there is none.",
          queries: [
            { expr: sumOf("orchestrator_model_process_resident_bytes", { by: "instance" }), legend: "{{instance}}" },
          ],
        }),
      ],
    },
  ],
};
