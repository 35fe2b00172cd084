import {
  booleanSetting,
  choiceSetting,
  durationSetting,
  integerSetting,
  numberSetting,
  pairsSetting,
  setting,
  textSetting,
  urlSetting,
} from "../setting-types.ts";

/** Traces. The variables are those of OpenTelemetry. */
export const TRACING = {
  endpoint: setting({
    schema: urlSetting("http", "https"),
    env: ["OTEL_EXPORTER_OTLP_ENDPOINT"],
    text: "Collector of traces: `http://collector:4318`, or with gRPC `http://collector:4317`. Without an endpoint nothing is traced. Over HTTP, the path of traces is added to it.",
  }),
  tracesEndpoint: setting({
    schema: urlSetting("http", "https"),
    env: ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"],
    text: "The same, taken as it is; it wins over `endpoint`.",
  }),
  protocol: setting({
    schema: choiceSetting(["grpc", "http/protobuf"]),
    default: "http/protobuf",
    env: ["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"],
    text: "How spans are sent: grpc or http/protobuf.",
  }),
  headers: setting({
    schema: pairsSetting(),
    default: {},
    env: ["OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS"],
    secret: true,
    text: "Headers or metadata of every export: `name=value,name=value`, values percent-encoded.",
  }),
  timeout: setting({
    schema: integerSetting(1, 600_000, "milliseconds"),
    default: 10_000,
    env: ["OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT"],
    text: "Longest time of an export with its repetitions, milliseconds.",
  }),
  sampler: setting({
    schema: choiceSetting([
      "always_on",
      "always_off",
      "traceidratio",
      "parentbased_always_on",
      "parentbased_always_off",
      "parentbased_traceidratio",
    ]),
    default: "parentbased_always_on",
    env: ["OTEL_TRACES_SAMPLER"],
    text: "Which runs and calls are sampled. The `parentbased_` ones follow the caller, if it names a trace.",
  }),
  samplerArg: setting({
    schema: numberSetting(0, 1),
    default: 1,
    env: ["OTEL_TRACES_SAMPLER_ARG"],
    text: "Share of traces that the `traceidratio` samplers take, 0 to 1.",
  }),
  serviceName: setting({
    schema: textSetting(),
    env: ["OTEL_SERVICE_NAME"],
    text: "`service.name` of the spans; `orchestrator` if the resource attributes name none either.",
  }),
  resourceAttributes: setting({
    schema: pairsSetting(),
    default: {},
    env: ["OTEL_RESOURCE_ATTRIBUTES"],
    text: "More attributes of the service: `name=value,name=value`, values percent-encoded.",
  }),
  exporter: setting({
    schema: choiceSetting(["otlp", "none"]),
    default: "otlp",
    env: ["OTEL_TRACES_EXPORTER"],
    text: "`none` turns traces off whatever the endpoint says.",
  }),
  disabled: setting({
    schema: booleanSetting(),
    default: false,
    env: ["OTEL_SDK_DISABLED"],
    text: "Turns traces off whatever the endpoint says.",
  }),
  queueSize: setting({
    schema: integerSetting(1, 1_000_000),
    default: 8_192,
    env: ["OTEL_BSP_MAX_QUEUE_SIZE"],
    text: "How many ended spans wait for the collector at most; further ones are dropped and counted.",
  }),
  batchSize: setting({
    schema: integerSetting(1, 10_000),
    default: 512,
    env: ["OTEL_BSP_MAX_EXPORT_BATCH_SIZE"],
    text: "How many spans one export carries at most.",
  }),
  batchDelay: setting({
    schema: integerSetting(0, 600_000, "milliseconds"),
    default: 5_000,
    env: ["OTEL_BSP_SCHEDULE_DELAY"],
    text: "Longest time that an ended span waits for others before it is sent, milliseconds.",
  }),
  slowRun: setting({
    schema: durationSetting(),
    default: "5m",
    env: ["ORCHESTRATOR_TRACE_SLOW_RUN"],
    text: "A run that is not sampled but took longer is exported from its journal when it ends, as one that failed is. 0: only failed ones.",
  }),
} as const;
