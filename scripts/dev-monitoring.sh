#!/bin/sh
# Monitoring for a service on this machine (`make run`; METRICS_ADDRESS names another one).
#   With Docker: Prometheus, Alertmanager, and Grafana with the dashboards, from observability/dev/compose.yaml.
#   Without: Prometheus and Alertmanager of the system, in this terminal. There is no Grafana then.
# DEV_MONITORING=system takes those of the system although Docker is there. Ports: PROMETHEUS_PORT, ALERTMANAGER_PORT.
set -eu
cd -- "$(dirname -- "$0")/.."
prometheus_port=${PROMETHEUS_PORT:-9090}
alertmanager_port=${ALERTMANAGER_PORT:-9093}
metrics=${METRICS_ADDRESS:-localhost:8002}

if [ "${DEV_MONITORING:-}" != system ] && docker compose version >/dev/null 2>&1; then
  echo "Grafana: http://localhost:3000  Prometheus: http://localhost:9090  Alertmanager: http://localhost:9093"
  exec docker compose -f observability/dev/compose.yaml up
fi

find_program() {
  for name; do command -v "$name" && return; done
  echo "dev-monitoring: install Docker, or $1 (Debian: apt-get install prometheus prometheus-alertmanager)" >&2
  exit 1
}
prometheus=$(find_program prometheus)
alertmanager=$(find_program prometheus-alertmanager alertmanager)

folder=data/monitoring
mkdir -p "$folder/rules"
cp observability/alerts.yaml observability/prometheus/*.rules.yml "$folder/rules/"
cat > "$folder/prometheus.yml" <<EOF
global: { scrape_interval: 5s, evaluation_interval: 5s, external_labels: { environment: development } }
rule_files: ["$PWD/$folder/rules/*"]
alerting: { alertmanagers: [{ static_configs: [{ targets: ["localhost:$alertmanager_port"] }] }] }
scrape_configs:
  - { job_name: orchestrator, static_configs: [{ targets: ["$metrics"] }] }
  - { job_name: prometheus, static_configs: [{ targets: ["localhost:$prometheus_port"] }] }
  - { job_name: alertmanager, static_configs: [{ targets: ["localhost:$alertmanager_port"] }] }
EOF
# Nobody is called from a laptop: its pages show what fires.
printf 'route: { receiver: nobody }\nreceivers: [{ name: nobody }]\n' > "$folder/alertmanager.yml"

children=
stop() {
  # shellcheck disable=SC2086 # process ids
  [ -z "$children" ] || kill $children 2>/dev/null || true
}
trap stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
"$alertmanager" --config.file="$folder/alertmanager.yml" --storage.path="$folder/alertmanager" \
  --web.listen-address="127.0.0.1:$alertmanager_port" --cluster.listen-address= --log.level=warn &
children="$children $!"
"$prometheus" --config.file="$folder/prometheus.yml" --storage.tsdb.path="$folder/prometheus" \
  --web.listen-address="127.0.0.1:$prometheus_port" --web.enable-lifecycle \
  --enable-feature=exemplar-storage --log.level=warn &
children="$children $!"

cat <<EOF
Prometheus:    http://localhost:$prometheus_port/alerts
Alertmanager:  http://localhost:$alertmanager_port
Metrics:       http://$metrics/metrics
There is no Grafana on port 3000: that needs Docker. The dashboards are in observability/dashboards.
Ctrl-C ends both.
EOF
# One that ends (a port in use, say) ends the other.
while :; do
  for child in $children; do
    kill -0 "$child" 2>/dev/null || { echo "dev-monitoring: one of the two has ended; its last lines say why" >&2; exit 1; }
  done
  sleep 1
done
