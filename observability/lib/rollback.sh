# shellcheck shell=bash
# shellcheck disable=SC2154
# Puts back what the last run replaced, and forgets that run: the next rollback is about the one before.

roll_back() {
  local root last
  root=$(state_root)
  last=$(find "$root" -mindepth 1 -maxdepth 1 -type d 2>/dev/null | sort | tail -n 1)
  [ -n "$last" ] || die "$EXIT_FAILED" "no run to roll back: $root is empty"
  need_target "$last" grafana GRAFANA_URL "$with_grafana"
  need_target "$last" prometheus PROMETHEUS_URL "$with_rules"
  need_target "$last" alertmanager ALERTMANAGER_URL "$with_alertmanager"
  if changes_of "$last" grafana; then roll_back_dashboards "$last"; fi
  if changes_of "$last" prometheus; then roll_back_files "$last" prometheus PROMETHEUS; fi
  if changes_of "$last" alertmanager; then roll_back_files "$last" alertmanager ALERTMANAGER; fi
  ((counts[failed] > 0)) || rm -rf -- "$last"
}

# changes_of RUN TARGET
changes_of() { jq -es --arg target "$2" 'any(.[]; .target == $target)' "$1/changes.jsonl" >/dev/null; }

need_target() {
  if changes_of "$1" "$2" && [ "$4" = no ]; then die "$EXIT_USAGE" "the last run changed $2: $3 is missing"; fi
}

# roll_back_files RUN TARGET VARIABLE
roll_back_files() {
  local name
  restore_files "$1" "$2" || die "$EXIT_FAILED" "cannot restore the files of $2"
  retries=0 request "$3" POST /-/reload
  if [ "$http_status" != 200 ]; then
    report_failure "$2 refused the former files ($(answer_text))"
    return
  fi
  while IFS= read -r name; do report restored "$name"; done < <(
    jq -rs --arg target "$2" '[.[] | select(.target == $target).name] | unique[]' "$1/changes.jsonl"
  )
}

roll_back_dashboards() {
  local uid former
  choose_grafana_api
  while IFS= read -r uid && IFS= read -r former; do
    "${grafana_api}_read_dashboard" "$uid" || continue
    if [ "$former" = - ]; then
      if [ -z "$found" ] || ! is_our_dashboard; then continue; fi
      "${grafana_api}_delete_dashboard" "$uid"
      expect "dashboard $uid" 200 204 404 || continue
    else
      jq .dashboard "$1/$former" >"$work/wanted.json"
      "${grafana_api}_write_dashboard" "$uid" "$(jq -r .folder "$1/$former")" "$work/wanted.json"
      expect "dashboard $uid" 200 201 || continue
    fi
    report restored "dashboard $uid"
  done < <(jq -rs 'reverse[] | select(.kind == "dashboard") | .name, (.former // "-")' "$1/changes.jsonl")
}
