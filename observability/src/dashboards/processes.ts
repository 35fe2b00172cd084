/** The processes themselves: CPU, memory, event loop, garbage collection. */
import type { DashboardPlan } from "./dashboard.ts";
import { figure, graph, states } from "./panel.ts";
import { CPU, MEMORY, maxOf, minOf, perSecond, sumOf } from "./query.ts";

const each = { by: "instance" };

export const PROCESSES: DashboardPlan = {
  uid: "orchestrator-runtime",
  title: "Orchestrator / Processes",
  description: "The processes themselves: CPU, memory, event loop, garbage collection, files.",
  rows: [
    {
      title: "At a glance",
      panels: [
        figure({
          ...{ title: "Instances up", unit: "count", limits: [1, 0.5] },
          description: "Instances that Prometheus reaches.",
          queries: [{ expr: sumOf("up"), legend: "up" }],
        }),
        figure({
          ...{ title: "Versions", unit: "count", limits: [1, 3] },
          description: "Versions that run at the same time. Two of them are a deploy under way.",
          queries: [{ expr: `count(${sumOf("orchestrator_build_info", { by: "version" })})`, legend: "versions" }],
        }),
        figure({
          ...{ title: "Youngest process", unit: "duration" },
          description: "Since the last start of an instance. Small again and again: something restarts them.",
          queries: [{ expr: `time() - ${maxOf("process_start_time_seconds")}`, legend: "age" }],
        }),
        figure({
          ...{ title: "Event loop lag, p99", unit: "seconds", limits: [0.1, 0.5] },
          description: "Of the worst instance. Calls and timers are late by as much.",
          queries: [{ expr: maxOf("nodejs_eventloop_lag_p99_seconds"), legend: "lag" }],
        }),
        figure({
          ...{ title: "Largest memory", unit: "bytes" },
          description: "Resident memory of the largest process.",
          queries: [{ expr: maxOf("process_resident_memory_bytes"), legend: "memory" }],
        }),
        figure({
          ...{ title: "Most series", unit: "count", limits: [20000, 30000] },
          description: "Series that the instance with the most of them shows. Above 30,000 an alert fires.",
          queries: [{ expr: maxOf("scrape_samples_post_metric_relabeling"), legend: "series" }],
        }),
      ],
    },
    {
      title: "Resources",
      panels: [
        graph({
          ...{ title: "CPU", unit: "part" },
          description:
            "Cores in use, by container, or by process where containers are not measured. An event loop has one.",
          queries: [CPU],
        }),
        graph({
          ...{ title: "Memory", unit: "bytes" },
          description:
            "By container, or by process where containers are not measured. Steady growth over days is a leak.",
          queries: [MEMORY],
        }),
        graph({
          ...{ title: "Open files", unit: "part", limits: [0.5, 0.9] },
          description: "Part of the files and sockets that a process may open.",
          queries: [
            { expr: `${sumOf("process_open_fds", each)} / ${sumOf("process_max_fds", each)}`, legend: "{{instance}}" },
          ],
        }),
      ],
    },
    {
      title: "Event loop",
      panels: [
        graph({
          ...{ title: "Lag by instance, p99", unit: "seconds", limits: [0.1, 0.5] },
          description: "One in a hundred turns takes longer. Above 0.5 s for ten minutes an alert fires.",
          queries: [{ expr: maxOf("nodejs_eventloop_lag_p99_seconds", each), legend: "{{instance}}" }],
        }),
        graph({
          ...{ title: "Longest turn by instance", unit: "seconds" },
          description: "A turn of many seconds ends the process, and others take its shards.",
          queries: [{ expr: maxOf("nodejs_eventloop_lag_max_seconds", each), legend: "{{instance}}" }],
        }),
        graph({
          ...{ title: "Active resources", unit: "count" },
          description: "What keeps the event loops busy: sockets, timers, requests. Steady growth is a leak.",
          queries: [{ expr: sumOf("nodejs_active_resources", { by: "type" }), legend: "{{type}}" }],
        }),
      ],
    },
    {
      title: "Heap",
      panels: [
        graph({
          ...{ title: "Heap in use", unit: "bytes" },
          description: "By instance. A saw is normal; its lower edge should not rise.",
          queries: [{ expr: sumOf("nodejs_heap_size_used_bytes", each), legend: "{{instance}}" }],
        }),
        graph(
          {
            ...{ title: "Heap by space", unit: "bytes" },
            description: "Of all instances together.",
            queries: [{ expr: sumOf("nodejs_heap_space_size_used_bytes", { by: "space" }), legend: "{{space}}" }],
          },
          { stacked: true },
        ),
        graph({
          ...{ title: "Memory outside the heap", unit: "bytes" },
          description: "Buffers of network and files, by instance.",
          queries: [{ expr: sumOf("nodejs_external_memory_bytes", each), legend: "{{instance}}" }],
        }),
        graph({
          ...{ title: "Time of garbage collection", unit: "part" },
          description: "Part of the time, by kind, of all instances. More than a tenth is too much.",
          queries: [{ expr: perSecond("nodejs_gc_duration_seconds_sum", { by: "kind" }), legend: "{{kind}}" }],
        }),
      ],
    },
    {
      title: "Instances",
      panels: [
        states(
          {
            ...{ title: "Reached by Prometheus", unit: "count" },
            description: "Whether each instance answers.",
            queries: [{ expr: minOf("up", each), legend: "{{instance}}" }],
          },
          { 1: "up", 0: "down" },
        ),
        graph(
          {
            ...{ title: "Instances by version", unit: "count", span: 6 },
            description: "A deploy replaces one colour by another.",
            queries: [{ expr: sumOf("orchestrator_build_info", { by: "version" }), legend: "{{version}}" }],
          },
          { stacked: true },
        ),
        graph({
          ...{ title: "Series by instance", unit: "count", span: 6 },
          description: "What Prometheus stores of each instance.",
          queries: [{ expr: maxOf("scrape_samples_post_metric_relabeling", each), legend: "{{instance}}" }],
        }),
      ],
    },
  ],
};
