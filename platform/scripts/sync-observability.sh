#!/usr/bin/env bash
# Brings the folder observability/ to Grafana, Prometheus, and Alertmanager: observability/SYNC.md.
set -euo pipefail

usage() {
  cat <<'TEXT'
Usage: sync-observability.sh [OPTIONS] COMMAND

Commands
  validate             Check dashboards, rules with their tests, and the configuration of Alertmanager
  sync-dashboards      Folders and dashboards to Grafana
  sync-alerts          Rules to Prometheus, the configuration to Alertmanager
  sync-service NAME    Everything of a service, to each target whose URL is set
  all                  The same for the service of the folder
  diff                 Show what `all` would change; exit code 4 if anything
  rollback             Put back what the last run replaced

Options
  --dry-run            Read and show differences; write nothing
  --check              The same; exit code 4 if anything differs
  --prune              Also remove what earlier runs brought and the folder no longer has
  --only UID           One dashboard (sync-dashboards, diff)
  --env NAME           Instead of ENVIRONMENT
  --insecure           Send the token over http://
  -h, --help           This text

Variables
  ENVIRONMENT                production, staging, development (or prod, dev); all commands but validate
  GRAFANA_URL, GRAFANA_API_KEY (a service account token), GRAFANA_NAMESPACE (default: default)
  PROMETHEUS_URL, PROMETHEUS_RULES_DIR (where Prometheus reads *.yml rules; without it they are compared only)
  ALERTMANAGER_URL, ALERTMANAGER_CONFIG_DIR (where Alertmanager reads alertmanager.yml; without it it is compared only)
  PAGES_URL                  Where people read runbook.md and SLO.md, to which alerts and dashboards lead
  GRAFANA_PUBLIC_URL         Where people open dashboards, to which alerts lead (default: GRAFANA_URL)
  OBSERVABILITY_DIR          A folder of your own instead of the one beside this script
  SYNC_STATE_DIR             What runs replaced (default: ~/.local/state/sync-observability)

Exit codes: 0 ok, 1 failed, 2 wrong usage, 3 invalid configuration, 4 differences (--check, diff)
TEXT
}

if ((BASH_VERSINFO[0] < 4 || (BASH_VERSINFO[0] == 4 && BASH_VERSINFO[1] < 4))); then
  echo "sync-observability: needs bash 4.4 or newer, this is $BASH_VERSION (macOS: brew install bash)" >&2
  exit 2
fi
# Programs that this one starts need no token, and their environment shows in ps.
[ ! -v GRAFANA_API_KEY ] || export -n GRAFANA_API_KEY

# Names of files sort alike everywhere.
export LC_ALL=C
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=../../observability/lib/report.sh
. "$root/observability/lib/report.sh"
# shellcheck source=../../observability/lib/http.sh
. "$root/observability/lib/http.sh"
# shellcheck source=../../observability/lib/state.sh
. "$root/observability/lib/state.sh"
# shellcheck source=../../observability/lib/validate.sh
. "$root/observability/lib/validate.sh"
# shellcheck source=../../observability/lib/pages.sh
. "$root/observability/lib/pages.sh"
# shellcheck source=../../observability/lib/rules.sh
. "$root/observability/lib/rules.sh"
# shellcheck source=../../observability/lib/alertmanager.sh
. "$root/observability/lib/alertmanager.sh"
# shellcheck source=../../observability/lib/grafana.sh
. "$root/observability/lib/grafana.sh"
# shellcheck source=../../observability/lib/grafana-legacy.sh
. "$root/observability/lib/grafana-legacy.sh"
# shellcheck source=../../observability/lib/grafana-apis.sh
. "$root/observability/lib/grafana-apis.sh"
# shellcheck source=../../observability/lib/rollback.sh
. "$root/observability/lib/rollback.sh"

command='' service='' environment=${ENVIRONMENT:-} dry_run=no check=no prune=no only='' insecure=no
while (($# > 0)); do
  case $1 in
    --dry-run) dry_run=yes ;;
    --check) dry_run=yes check=yes ;;
    --prune) prune=yes ;;
    --insecure) insecure=yes ;;
    --only | --env)
      (($# > 1)) && [ -n "$2" ] || die "$EXIT_USAGE" "$1 needs a value"
      if [ "$1" = --only ]; then only=$2; else environment=$2; fi
      shift ;;
    -h | --help) usage; exit 0 ;;
    -*) die "$EXIT_USAGE" "unknown option $1 (see --help)" ;;
    *)
      if [ -z "$command" ]; then command=$1
      elif [ "$command" = sync-service ] && [ -z "$service" ]; then service=$1
      else die "$EXIT_USAGE" "unexpected argument $1 (see --help)"; fi ;;
  esac
  shift
done
case $command in
  validate | sync-dashboards | sync-alerts | all | rollback) ;;
  diff) dry_run=yes check=yes ;;
  sync-service) [ -n "$service" ] || die "$EXIT_USAGE" "sync-service needs the name of a service" ;;
  '') usage >&2; exit "$EXIT_USAGE" ;;
  *) die "$EXIT_USAGE" "unknown command $command (see --help)" ;;
esac
if [ -n "$only" ]; then
  case $command in sync-dashboards | diff) ;; *) die "$EXIT_USAGE" "--only goes with sync-dashboards and diff" ;; esac
  [ "$prune" = no ] || die "$EXIT_USAGE" "--only does not go with --prune"
fi
case $command-$dry_run-$prune in
  rollback-yes-*) die "$EXIT_USAGE" "rollback has no dry run" ;;
  validate-yes-* | validate-*-yes | rollback-*-yes) die "$EXIT_USAGE" "$command writes and removes nothing of the folder" ;;
esac

case $environment in
  prod | production) environment=production ;;
  dev | development) environment=development ;;
  staging) ;;
  '') [ "$command" = validate ] || die "$EXIT_USAGE" "ENVIRONMENT is missing: production, staging, or development" ;;
  *) die "$EXIT_USAGE" "ENVIRONMENT is $environment, not production, staging, or development" ;;
esac

source_dir=${OBSERVABILITY_DIR:-$root/observability}
[ -d "$source_dir" ] || die "$EXIT_USAGE" "OBSERVABILITY_DIR is not a folder: $source_dir"
source_dir=$(cd -- "$source_dir" && pwd)

need_program jq "apt-get install jq, brew install jq"
need_program curl "apt-get install curl"
need_program diff "apt-get install diffutils"
need_program sha256sum "apt-get install coreutils, brew install coreutils"
open_work
read_service
[ -z "$service" ] || [ "$service" = "$service_name" ] ||
  die "$EXIT_USAGE" "unknown service $service: $source_dir has $service_name"

# What each command is about, of what is configured.
with_grafana=no with_rules=no with_alertmanager=no
case $command in
  validate) with_grafana=yes with_rules=yes with_alertmanager=yes ;;
  sync-dashboards)
    [ -n "${GRAFANA_URL:-}" ] || die "$EXIT_USAGE" "GRAFANA_URL is missing"
    with_grafana=yes ;;
  *)
    [ -z "${PROMETHEUS_URL:-}" ] || with_rules=yes
    [ -z "${ALERTMANAGER_URL:-}" ] || with_alertmanager=yes
    [ "$command" = sync-alerts ] || [ -z "${GRAFANA_URL:-}" ] || with_grafana=yes
    [ -z "$only" ] || { with_rules=no with_alertmanager=no; }
    case $with_grafana$with_rules$with_alertmanager in
      nonono) die "$EXIT_USAGE" "nothing to do: set PROMETHEUS_URL, ALERTMANAGER_URL$([ "$command" = sync-alerts ] || echo ', GRAFANA_URL')" ;;
    esac ;;
esac

if [ "$command" != validate ]; then
  [ "$with_grafana" = no ] || check_grafana_access
  [ "$with_rules" = no ] || check_url PROMETHEUS_URL
  [ "$with_alertmanager" = no ] || check_url ALERTMANAGER_URL
fi
if [ "$command" = rollback ]; then
  roll_back
  finish
fi

# Nothing is sent before everything that this run would send is valid.
dashboard_files=()
declare -A rule_files=()
[ "$with_grafana" = no ] || validate_dashboards
[ "$with_rules" = no ] || validate_rules
[ "$with_alertmanager" = no ] || validate_alertmanager
finish_validation
[ "$command" != validate ] || { say "valid: $source_dir"; exit 0; }
check_pages

[ "$with_grafana" = no ] || sync_dashboards
[ "$with_rules" = no ] || sync_rules
[ "$with_alertmanager" = no ] || sync_alertmanager
finish
