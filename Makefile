# Orchestrator. `make run` serves, `make test` tests; both install what they need (any Node >= 18 with npm is enough to
# begin).
.POSIX:
.DEFAULT_GOAL := help
SHELL = /bin/sh
# Puts the project's Node and its tools first on PATH, after installing what the lockfile names.
WITH = sh scripts/with-node.sh

.PHONY: help dev run test check bench demo demo-workers release generate-clients buf-lint buf-breaking clean-generated dev-monitoring

help: ## This list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | while IFS="$$(printf '\t')" read -r name text; do printf '  %-18s %s\n' "$$name" "$$text"; done

dev: ## Install everything that development needs
	@$(WITH) node --version

# Prometheus itself is on 9090, where the service would show its metrics.
run: ## Serve on port 8002, metrics on 9464 (variables and flags: docs/config.md)
	@if [ -n "$$ORCHESTRATOR_METRICS_PORT" ] || grep -qs '^ *ORCHESTRATOR_METRICS_PORT *=' .env; \
	then exec ./orchestrator serve; else exec ./orchestrator serve --metrics-port 9464; fi

test: ## Run all tests; what this machine lacks is skipped and named
	@$(WITH) sh scripts/test.sh

check: ## Generated files, format, lint, types, boot, unit and house tests
	@$(WITH) sh scripts/check.sh

bench: ## Measure against the peers (docs/benchmarks.md); ARGS="--quick" for a short look
	@$(WITH) sh bench/run.sh $(ARGS)

demo: ## Run the example flow in this terminal
	@$(WITH) node examples/demo/main.ts

demo-workers: ## A Python and a Go worker share a queue; one is killed on the way
	@$(WITH) node examples/workers/demo/main.ts

release: ## Check, keep the image of the contracts, build the npm package
	@$(WITH) sh scripts/release.sh

generate-clients: ## Generate the Go, Python and TypeScript clients and openapi.yaml
	@$(WITH) sh scripts/generate.sh

buf-lint: ## Lint the contracts
	@$(WITH) buf lint

buf-breaking: ## Compare the contracts with the last release
	@$(WITH) sh scripts/buf-breaking.sh

clean-generated: ## Remove generated clients
	@$(WITH) sh scripts/generate.sh --clean

dev-monitoring: ## Local Prometheus, Alertmanager and, with Docker, Grafana with the dashboards
	@sh scripts/dev-monitoring.sh
