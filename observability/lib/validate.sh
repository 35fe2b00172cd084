# shellcheck shell=bash
# Checks of the folder before anything is sent. All faults are collected, each with the name of its file.

declare -a faults=()

# fault FILE TEXT...
fault() { faults+=("${1#"$source_dir/"}: ${*:2}"); }

finish_validation() {
  local one
  ((${#faults[@]} > 0)) || return 0
  for one in "${faults[@]}"; do complain "$one"; done
  exit "$EXIT_VALIDATION"
}

# The name of the service, and where its dashboards go: grafana/folders.json.
read_service() {
  folders_file=$source_dir/grafana/folders.json
  if ! jq -e '
    def uid: type == "string" and test("^[A-Za-z0-9_-]{1,40}$");
    (.service | type == "string" and test("^[a-z][a-z0-9-]{0,39}$"))
    and (.folders | type == "array" and length > 0 and all(.[]; (.uid | uid) and (.title | type == "string" and length > 0)))
    and ([.folders[].uid] as $uids | ($uids | unique | length) == ($uids | length)
      and (.default as $one | $uids | index($one)) != null
      and ((.dashboards // {}) | type == "object" and all(.[]; . as $one | $uids | index($one) != null)))
  ' "$folders_file" >/dev/null 2>&1; then
    fault "$folders_file" 'expected {"service": name, "folders": [{"uid", "title"}], "default": uid of a folder, "dashboards": {uid: uid of a folder}}'
    finish_validation
  fi
  service_name=$(jq -r .service "$folders_file")
}

# Sets dashboard_files. A file that jq cannot read is a fault; so are a missing uid, an id, and a uid or title that
# occurs twice.
validate_dashboards() {
  local file problems
  declare -A seen=()
  dashboard_files=()
  for file in "$source_dir"/dashboards/*.json; do
    [ -e "$file" ] || break
    if ! problems=$(jq -r '
      if type != "object" then "is not an object" else
        (if .uid | type == "string" and test("^[A-Za-z0-9_-]{1,40}$") then empty else "uid: expected 1 to 40 of A-Z a-z 0-9 _ -" end),
        (if .title | type == "string" and test("[^ ]") then empty else "title: expected text" end),
        (if .id == null then empty else "id: belongs to one Grafana; remove it" end),
        (if .schemaVersion | type == "number" then empty else "schemaVersion: expected a number" end),
        (if .panels | type == "array" then empty else "panels: expected a list" end),
        (if (.tags // []) | type == "array" and all(.[]; type == "string") then empty else "tags: expected a list of texts" end),
        (if (.templating.list? // []) | type == "array" then empty else "templating.list: expected a list" end)
      end' "$file" 2>&1); then
      fault "$file" "is not JSON: $problems"
      continue
    fi
    if [ -n "$problems" ]; then
      while IFS= read -r problem; do fault "$file" "$problem"; done <<<"$problems"
      continue
    fi
    local uid title
    uid=$(jq -r .uid "$file") title=$(jq -r .title "$file")
    [ -z "${seen[uid $uid]:-}" ] || fault "$file" "uid $uid is also that of ${seen[uid $uid]}"
    [ -z "${seen[title $title]:-}" ] || fault "$file" "title $title is also that of ${seen[title $title]}"
    seen[uid $uid]=${file##*/} seen[title $title]=${file##*/}
    [ -n "$only" ] && [ "$uid" != "$only" ] || dashboard_files+=("$file")
  done
  if ((${#dashboard_files[@]} == 0 && ${#faults[@]} == 0)); then
    if [ -n "$only" ]; then die "$EXIT_USAGE" "no dashboard of $source_dir/dashboards has the uid $only"; fi
    fault "$source_dir/dashboards" "has no *.json"
  fi
}

# Sets rule_files: installed name -> source.
validate_rules() {
  local file name said
  need_program promtool "apt-get install prometheus"
  declare -gA rule_files=()
  for file in "$source_dir"/alerts.y*ml "$source_dir"/prometheus/*.rules.y*ml; do
    [ -e "$file" ] || continue
    name=${file##*/} name=${name%.y*ml}
    name=$service_name-${name%.rules}.rules.yml
    [ -z "${rule_files[$name]:-}" ] || fault "$file" "would be installed as $name, as ${rule_files[$name]##*/} is"
    rule_files[$name]=$file
    said=$(promtool check rules --lint=all --lint-fatal "$file" 2>&1) || fault "$file" "$said"
  done
  ((${#rule_files[@]} > 0)) || fault "$source_dir" "has neither alerts.yaml nor prometheus/*.rules.yml"
  # Tests of rules that cannot be read say the same once more.
  ((${#faults[@]} == 0)) || return 0
  for file in "$source_dir"/prometheus/tests/*.test.y*ml; do
    [ -e "$file" ] || continue
    said=$(promtool test rules "$file" 2>&1) || fault "$file" "$said"
  done
}

# Sets alertmanager_file to what would be installed: empty if there is only the example, and that is not for this
# environment.
validate_alertmanager() {
  local file said
  need_program amtool "apt-get install prometheus-alertmanager"
  alertmanager_file=''
  for file in "$source_dir"/alertmanager/alertmanager.yml "$source_dir"/alertmanager/alertmanager.example.yml; do
    [ -e "$file" ] || continue
    said=$(amtool check-config "$file" 2>&1) || fault "$file" "$said"
    [ "${file##*/}" = alertmanager.example.yml ] && [ "$environment" != development ] ||
      alertmanager_file=${alertmanager_file:-$file}
  done
}
