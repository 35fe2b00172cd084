module orchestrator.internal/collector

go 1.26.0
