import type { EmbeddedConnection } from "../../src/store/embedded/embedded-postgres.ts";

/** How tests reach the PostgreSQL server of the run. */
export interface TestServer {
  /** Folder of the socket. */
  readonly host: string;
  readonly port: number;
  readonly user: string;
}

/** The database with the newest schema that test databases are cloned from. */
export const TEMPLATE_DATABASE = "orchestrator_template";

/** Connection of one database of the server. */
export function testTarget(server: TestServer, database: string): EmbeddedConnection {
  return { ...server, database };
}

/** The same as a URL, for processes that a test starts with DATABASE_URL. */
export function testUrl(server: TestServer, database: string): string {
  return `postgresql://${server.user}@localhost:${server.port}/${database}?host=${encodeURIComponent(server.host)}`;
}
