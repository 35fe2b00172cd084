/** What no single setting of Kafka can tell. */
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import type { Config } from "./settings.ts";

/** Calls `note` with each problem, and null where there is none. */
export function checkKafka({ kafka }: Config, note: (path: string, problem: string | null) => void): void {
  const { tls, tlsCaFile, tlsCertFile, tlsKeyFile, saslMechanism, saslUsername, saslPassword } = kafka;
  for (const [path, file] of [
    ["kafka.tls_ca_file", tlsCaFile],
    ["kafka.tls_cert_file", tlsCertFile],
    ["kafka.tls_key_file", tlsKeyFile],
  ] as const) {
    if (file === undefined) continue;
    note(path, existsSync(resolve(file)) ? null : `there is no file ${resolve(file)}`);
    note(path, tls ? null : "it is used with TLS only: set kafka.tls");
  }
  if ((tlsCertFile === undefined) !== (tlsKeyFile === undefined))
    note(
      tlsCertFile === undefined ? "kafka.tls_key_file" : "kafka.tls_cert_file",
      "a client certificate needs both kafka.tls_cert_file and kafka.tls_key_file",
    );
  const hasLogin = saslUsername !== undefined && saslPassword !== undefined;
  if (saslMechanism === "none" && (saslUsername !== undefined || saslPassword !== undefined))
    note(
      saslUsername === undefined ? "kafka.sasl_password" : "kafka.sasl_username",
      "it is used with a login only: set kafka.sasl_mechanism to plain, scram-sha-256, or scram-sha-512",
    );
  if (saslMechanism !== "none" && !hasLogin)
    note("kafka.sasl_mechanism", `${saslMechanism} needs kafka.sasl_username and kafka.sasl_password`);
}
