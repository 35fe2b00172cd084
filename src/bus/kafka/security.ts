/** TLS and login of the connections to brokers. */
import { readFileSync } from "node:fs";
import { SASLMechanisms } from "@platformatic/kafka";
import type { ConnectionOptions } from "./sender.ts";

/** How the brokers know the service, and it them. */
export interface KafkaSecurity {
  readonly tls: boolean;
  readonly tlsCaFile?: string | undefined;
  readonly tlsCertFile?: string | undefined;
  readonly tlsKeyFile?: string | undefined;
  readonly saslMechanism: "none" | "plain" | "scram-sha-256" | "scram-sha-512";
  readonly saslUsername?: string | undefined;
  readonly saslPassword?: string | undefined;
}

const MECHANISMS = {
  plain: SASLMechanisms.PLAIN,
  "scram-sha-256": SASLMechanisms.SCRAM_SHA_256,
  "scram-sha-512": SASLMechanisms.SCRAM_SHA_512,
} as const;

/** Reads the files that the settings name. */
export function toSecureOptions(security: KafkaSecurity): Pick<ConnectionOptions, "tls" | "sasl"> {
  const { tls, tlsCaFile, tlsCertFile, tlsKeyFile, saslMechanism, saslUsername, saslPassword } = security;
  const read = (name: "ca" | "cert" | "key", file: string | undefined) =>
    file === undefined ? {} : { [name]: readFileSync(file) };
  return {
    ...(tls ? { tls: { ...read("ca", tlsCaFile), ...read("cert", tlsCertFile), ...read("key", tlsKeyFile) } } : {}),
    ...(saslMechanism === "none"
      ? {}
      : {
          sasl: {
            mechanism: MECHANISMS[saslMechanism],
            username: saslUsername ?? "",
            password: saslPassword ?? "",
          },
        }),
  };
}
