import { expect, test } from "vitest";
import { loadConfig } from "../../../src/config/config.ts";

test.each(["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"])("%s is a URL", async (name) => {
  await loadConfig({ env: { [name]: "http://collector:4317" } });
  await expect(loadConfig({ env: { [name]: "collector:4317" } })).rejects.toMatchObject({
    code: "CONFIG_INVALID",
    message: expect.stringContaining(`${name}: expected a URL that begins with http:// or https://`),
  });
});
