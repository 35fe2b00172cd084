"""Generated client of Orchestrator."""
