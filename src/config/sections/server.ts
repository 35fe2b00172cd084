import { booleanSetting, durationSetting, listSetting, portSetting, setting, textSetting } from "../setting-types.ts";

/** Where the service listens, and who may call it. */
export const SERVER = {
  host: setting({
    schema: textSetting("an address to listen at"),
    default: "127.0.0.1",
    env: ["ORCHESTRATOR_HOST"],
    text: "Address to listen at. `0.0.0.0` listens on every interface; traffic is then open to everybody who reaches the machine.",
  }),
  port: setting({
    schema: portSetting(),
    default: 8_002,
    env: ["ORCHESTRATOR_PORT", "ORCHESTRATOR_HTTP_PORT", "PORT"],
    text: "The one port of gRPC, gRPC-Web, Connect and REST. 0 takes any free one.",
  }),
  advertisedAddress: setting({
    schema: textSetting("an address"),
    env: ["ORCHESTRATOR_ADVERTISED_ADDRESS"],
    text: "Where other instances on the database reach this one, `host:port`. Without it the address to listen at, or with `0.0.0.0` the machine's first address in its network.",
  }),
  reflection: setting({
    schema: booleanSetting(),
    default: false,
    env: ["ORCHESTRATOR_REFLECTION"],
    text: "Serve gRPC reflection, so that tools such as grpcurl need no proto files.",
  }),
  corsOrigins: setting({
    schema: listSetting(),
    default: [],
    env: ["ORCHESTRATOR_CORS_ORIGINS"],
    text: "Origins whose pages may call the service from a browser, exactly as the browser sends them: `https://console.example.com`. The service's own origin too, when it is reached by a name.",
  }),
  allowedHosts: setting({
    schema: listSetting(),
    default: [],
    env: ["ORCHESTRATOR_ALLOWED_HOSTS"],
    text: "Names under which the service may be called, beside IP addresses and `localhost`: the host that a reverse proxy passes on, for instance `orchestrator.example.com`, without a port. A service that listens on loopback refuses other names, which protects it from web pages that rebind their DNS name to this machine; elsewhere other names are refused once this list names any. `*` allows every name.",
  }),
  drainTimeout: setting({
    schema: durationSetting(),
    default: "30s",
    env: ["ORCHESTRATOR_DRAIN_TIMEOUT"],
    text: "How long a stop waits for calls and tasks that are under way.",
  }),
} as const;
