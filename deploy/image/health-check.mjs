/** HEALTHCHECK of the image: ends with 0 if the service answers at the port that the environment names. */
import { get } from "node:http";

const { ORCHESTRATOR_PORT, ORCHESTRATOR_HTTP_PORT, PORT } = process.env;
const port = ORCHESTRATOR_PORT || ORCHESTRATOR_HTTP_PORT || PORT || "8002";
get({ host: "127.0.0.1", port, path: "/healthz", timeout: 4_000 }, ({ statusCode }) =>
  process.exit(statusCode === 200 ? 0 : 1),
)
  .on("timeout", () => process.exit(1))
  .on("error", () => process.exit(1));
