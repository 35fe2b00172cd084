/** Python programs that speak to Kafka and PostgreSQL with the libraries of those who use them. */
import { preparePackages } from "../clients/python-environment.ts";

/** Makes the environment. Returns its interpreter. */
export function prepareKafkaPython(): Promise<string> {
  return preparePackages("kafka", ["confluent-kafka==2.16.1", "psycopg[binary]==3.3.9"]);
}
