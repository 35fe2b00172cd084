import type { EmbeddedConnection } from "../../src/store/embedded/embedded-postgres.ts";

/** Connection of tests to the PostgreSQL server of the run. */
export interface TestServer {
  /** Folder of the socket. */
  readonly host: string;
  readonly port: number;
  readonly user: string;
}

/** Database with the newest schema, from which test databases are cloned. */
export const TEMPLATE_DATABASE = "orchestrator_template";

/** Connection to one database of the server. */
export function testTarget(server: TestServer, database: string): EmbeddedConnection {
  return { ...server, database };
}

/** The same as a URL, for processes that are started with DATABASE_URL. */
export function testUrl(server: TestServer, database: string): string {
  return `postgresql://${server.user}@localhost:${server.port}/${database}?host=${encodeURIComponent(server.host)}`;
}
