# shellcheck shell=bash
# shellcheck disable=SC2154
# Where alerts and dashboards lead. The folder has placeholders, which the tests of its rules know; what is sent has the
# pages of the installation.

readonly PAGES_PLACEHOLDER=https://github.com/orchestrator/orchestrator/blob/main/observability
readonly GRAFANA_PLACEHOLDER=https://grafana.example.com

# In production, people are to be sent to pages that are there.
check_pages() {
  local name
  for name in PAGES_URL GRAFANA_PUBLIC_URL GRAFANA_URL; do [ -z "${!name:-}" ] || check_url "$name"; done
  public_grafana=${GRAFANA_PUBLIC_URL:-${GRAFANA_URL:-}}
  [ "$environment" = production ] || return 0
  [ -n "${PAGES_URL:-}" ] || warn_of_placeholder "$PAGES_PLACEHOLDER" "PAGES_URL to where people read runbook.md and SLO.md"
  [ -n "$public_grafana" ] || warn_of_placeholder "$GRAFANA_PLACEHOLDER" "GRAFANA_PUBLIC_URL to where people open dashboards"
}

# warn_of_placeholder TEXT CURE
warn_of_placeholder() {
  local file
  for file in "${rule_files[@]}" "${dashboard_files[@]}"; do
    if grep -qF -- "$1" "$file"; then
      complain "warning: ${file#"$source_dir/"} leads to $1, which is a placeholder: set $2"
      return 0
    fi
  done
}

# Replaces the placeholders in a text by what is set.
link_pages() {
  replace "$PAGES_PLACEHOLDER" "${PAGES_URL:-$PAGES_PLACEHOLDER}" | replace "$GRAFANA_PLACEHOLDER" "${public_grafana:-$GRAFANA_PLACEHOLDER}"
}

# replace OLD NEW: as they are, not as patterns.
replace() {
  OLD=$1 NEW=${2%/} awk '
    BEGIN { old = ENVIRON["OLD"] }
    {
      out = ""
      while ((at = index($0, old)) > 0) { out = out substr($0, 1, at - 1) ENVIRON["NEW"]; $0 = substr($0, at + length(old)) }
      print out $0
    }'
}
