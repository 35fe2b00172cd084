/** Routes beside the contract: those of other systems, with their own paths, bodies, and errors. */
import type { FastifyInstance } from "fastify";
import type { OrchestratorError } from "../../base/errors.ts";
import type { WireError } from "./wire-error.ts";

/** A family of routes. */
export interface ForeignRoutes {
  /** Whether answers at `path` have the form of this family, errors and unknown paths included. */
  owns(path: string): boolean;
  /** HTTP methods of a path, for `Allow`; empty if nothing is served there. */
  allow(path: string): readonly string[];
  /** The answer to a request that failed. */
  printError(error: OrchestratorError): WireError;
  /** Adds the routes. */
  serve(http: FastifyInstance): void;
}
