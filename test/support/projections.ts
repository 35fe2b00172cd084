import { OPERATION_PROJECTIONS, RUN_PROJECTIONS } from "../../src/service/projections.ts";

/** Tables of the service's projections, for tests that open a journal. */
export const TABLES = [...RUN_PROJECTIONS, ...OPERATION_PROJECTIONS].map(({ table }) => table);
