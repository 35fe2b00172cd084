import {
  booleanSetting,
  durationSetting,
  listSetting,
  portListSetting,
  portSetting,
  setting,
  textSetting,
  urlSetting,
} from "../setting-types.ts";

/** Where the service listens, and who may call it. */
export const SERVER = {
  host: setting({
    schema: textSetting("an address to listen at"),
    default: "127.0.0.1",
    env: ["ORCHESTRATOR_HOST"],
    text: "Address to listen on. `0.0.0.0` listens on every interface; the service is then open to anyone who can reach the machine.",
  }),
  port: setting({
    schema: portSetting(),
    default: 8_002,
    env: ["ORCHESTRATOR_PORT", "ORCHESTRATOR_HTTP_PORT", "PORT"],
    text: "The port for gRPC, gRPC-Web, Connect, and REST. 0 picks any free port.",
  }),
  alsoListen: setting({
    schema: portListSetting(),
    default: [],
    env: ["ORCHESTRATOR_ALSO_LISTEN"],
    text: "Further ports, at the same address, that serve the same: `8000, 8080`, for callers of services whose ports these were.",
  }),
  advertisedAddress: setting({
    schema: textSetting("an address"),
    env: ["ORCHESTRATOR_ADVERTISED_ADDRESS"],
    text: "Where other instances on the database reach this one, `host:port`. By default the address to listen on, or with `0.0.0.0` the machine's first address in its network.",
  }),
  publicUrl: setting({
    schema: urlSetting("http", "https"),
    env: ["ORCHESTRATOR_PUBLIC_URL"],
    text: "URL at which other services reach this one, with the path of a proxy if there is one: `https://orchestrator.example.com`. Callback URLs begin with it; flows that await callbacks cannot start without it.",
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
    text: "Origins whose pages may call the service from a browser, exactly as the browser sends them: `https://console.example.com`. Include the service's own origin if browsers reach it by a name.",
  }),
  allowedHosts: setting({
    schema: listSetting(),
    default: [],
    env: ["ORCHESTRATOR_ALLOWED_HOSTS"],
    text: "Names under which the service may be called, in addition to IP addresses and `localhost`: the host that a reverse proxy passes on, for example `orchestrator.example.com`, without a port. A service that listens on loopback refuses other names, which protects it from web pages that rebind their DNS name to this machine. Otherwise, other names are refused as soon as this list is not empty. `*` allows every name.",
  }),
  drainTimeout: setting({
    schema: durationSetting(),
    default: "30s",
    env: ["ORCHESTRATOR_DRAIN_TIMEOUT"],
    text: "How long a stop waits for calls and tasks in progress.",
  }),
} as const;
