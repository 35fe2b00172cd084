/** The tables that show goals to those who read them with SQL. */
export interface GoalTables {
  /**
   * Resolves once they show what is durable by now. It waits a second at most, and not at all while they cannot be
   * written: goals go on without them.
   */
  show(): Promise<void>;
}
