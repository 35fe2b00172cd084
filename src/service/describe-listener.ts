/**
 * Identifies what listens at an address that does not answer as a service, by sending the first bytes of a few
 * protocols, each on its own connection.
 */
import { connect, isIP, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { readAddress, type ServiceAddress } from "../api/client/address.ts";

/** Time limit of one probe, milliseconds. */
const PATIENCE_MS = 700;

/** `SSLRequest` of PostgreSQL, which replies with one letter. */
const POSTGRES_HELLO = Buffer.from([0, 0, 0, 8, 4, 210, 22, 47]);

const CONNECT_PROBLEMS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "nothing listens there",
  ENOTFOUND: "no host has that name",
  EAI_AGAIN: "the host name cannot be resolved right now",
  ETIMEDOUT: "the host does not answer",
  EHOSTUNREACH: "there is no route to the host",
  ENETUNREACH: "there is no route to the network of the host",
};

/**
 * Returns one clause that describes the listener, such as `it answers HTTP/1.1 but not gRPC`; null when it cannot be
 * identified.
 */
export async function describeListener(address: string): Promise<string | null> {
  const place = readAddress(address);
  const http = await ask(place, `GET / HTTP/1.1\r\nHost: ${place.host}\r\nConnection: close\r\n\r\n`);
  if (http.problem !== undefined) return CONNECT_PROBLEMS[http.problem] ?? null;
  if (await speaksTls(place)) return place.secure ? null : `it expects TLS; write https://${place.host}:${place.port}`;
  const plainly = place.secure ? ` without TLS; write http://${place.host}:${place.port}` : "";
  const text = http.answer.toString("latin1");
  if (text.startsWith("HTTP/")) return `it answers ${text.slice(0, 8)}${place.secure ? plainly : " but not gRPC"}`;
  if (/^(-ERR |-DENIED|-NOAUTH|\+|\$-?\d)/.test(text)) return "it looks like a Redis server";
  if (text.startsWith("SSH-")) return "it looks like an SSH server";
  if (/^220[ -]/.test(text)) return "it looks like a mail or FTP server";
  // Length, sequence number 0, protocol 10; or a refusal of the host.
  if (/^.{3}\u0000(\n|\u00ff)/s.test(text)) return "it looks like a MySQL server";
  // The first frame of HTTP/2 is SETTINGS.
  if (/^\u0000.{2}\u0004/s.test(text))
    return place.secure ? `it answers HTTP/2${plainly}` : "it answers HTTP/2, but not gRPC";
  const { answer } = await ask(place, POSTGRES_HELLO);
  if (/^[SN]$/.test(answer.toString("latin1")) || answer.toString("latin1").startsWith("E\u0000"))
    return "it looks like a PostgreSQL server";
  return text === "" ? "something listens there but does not answer" : "it answers, but not in a known protocol";
}

interface Answer {
  readonly answer: Buffer;
  /** Error code when the connection failed. */
  readonly problem?: string;
}

/** Connects, sends `words`, and returns the first chunk of the answer; empty when none arrived in time. */
function ask({ host, port }: ServiceAddress, words: string | Buffer): Promise<Answer> {
  return new Promise((resolve) => {
    let isConnected = false;
    const socket: Socket = connect({ host: bare(host), port });
    const end = (answer: Answer): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(PATIENCE_MS, () => end(isConnected ? NOTHING : { ...NOTHING, problem: "ETIMEDOUT" }));
    socket.on("connect", () => {
      isConnected = true;
      socket.write(words);
    });
    socket.on("data", (answer: Buffer) => end({ answer }));
    socket.on("close", () => end(NOTHING));
    socket.on("error", (error: NodeJS.ErrnoException & { readonly errors?: readonly NodeJS.ErrnoException[] }) => {
      const code = error.code ?? error.errors?.[0]?.code ?? "";
      end(isConnected ? NOTHING : { ...NOTHING, problem: code });
    });
  });
}

const NOTHING: Answer = { answer: Buffer.alloc(0) };

/** Returns whether a TLS handshake is answered. The certificate is not checked, because nothing is sent. */
function speaksTls({ host, port }: ServiceAddress): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connectTls({
      host: bare(host),
      port,
      servername: isIP(bare(host)) === 0 ? host : "",
      rejectUnauthorized: false,
      ALPNProtocols: ["h2", "http/1.1"],
    });
    const end = (speaks: boolean): void => {
      socket.destroy();
      resolve(speaks);
    };
    socket.setTimeout(PATIENCE_MS, () => end(false));
    socket.on("secureConnect", () => end(true));
    socket.on("close", () => end(false));
    // An alert is TLS as well: the server requires a client certificate, or rejects the name.
    socket.on("error", (error: NodeJS.ErrnoException) => end(/ALERT/i.test(error.code ?? "")));
  });
}

/** Returns a host without the brackets of IPv6. */
function bare(host: string): string {
  return host.replace(/^\[(.*)\]$/, "$1");
}
