# shellcheck shell=bash
# shellcheck disable=SC2154
# Folders, then dashboards, to Grafana. A dashboard is ours if it has our tag: others are left alone, also one with a
# uid of ours. `read_…`, `write_…`, `delete_…`, and `list_…` exist for both generations of the API: grafana-legacy.sh,
# grafana-apis.sh.

sync_dashboards() {
  local file uid
  choose_grafana_api
  sync_folders
  for file in "${dashboard_files[@]}"; do
    uid=$(jq -r .uid "$file")
    stamp_dashboard "$file" | link_pages >"$work/wanted.json"
    sync_dashboard "$uid" "$(jq -r --arg uid "$uid" '.dashboards[$uid] // .default' "$folders_file")"
  done
  if [ "$prune" = no ]; then return; fi
  # What failed may have a new uid: nothing is removed before all is there.
  if ((counts[failed] > 0)); then
    complain "nothing is pruned after failures"
    return
  fi
  prune_dashboards
}

# Whether the dashboard that was read has our tag.
is_our_dashboard() { jq -e --arg tag "$(our_tag)" '.tags // [] | index($tag)' "$work/there.json" >/dev/null; }

our_tag() { printf 'sync-%s' "$service_name"; }

# Sets grafana_api from the version: Grafana 12 and later have the new API (v1beta1, from 13 on v1), and serve the old
# one, which is also taken where the version is hidden.
choose_grafana_api() {
  local version
  request GRAFANA GET /api/health
  [ "$http_status" = 200 ] || die "$EXIT_FAILED" "GET ${GRAFANA_URL%/}/api/health: $(answer_text)"
  version=$(jq -r '.version // "" | capture("^(?<major>[0-9]+)[.]").major' "$http_body" 2>/dev/null) || version=''
  grafana_api=legacy apis_version=v1
  case $version in
    '' | ? | 10 | 11) ;;
    12) grafana_api=apis apis_version=v1beta1 ;;
    *) grafana_api=apis ;;
  esac
}

# expect WHAT STATUS...: the answer has one of the statuses. Wrong tokens end the run, other faults fail the object.
expect() {
  local what=$1 status
  shift
  for status in "$@"; do [ "$http_status" != "$status" ] || return 0; done
  case $http_status in
    401) die "$EXIT_FAILED" "$what: Grafana does not know the token ($(answer_text)): GRAFANA_API_KEY is that of a service account, and not expired" ;;
    403) die "$EXIT_FAILED" "$what: the token may not do this ($(answer_text)): the service account needs the role Editor" ;;
  esac
  report_failure "$what: $(answer_text)"
  return 1
}

# The dashboard as it is sent: with our tag, and with the environment as the value of its variable.
stamp_dashboard() {
  jq --arg tag "$(our_tag)" --arg environment "$environment" '
    def constant: {name: "environment", type: "constant", hide: 2, skipUrlSync: true, query: $environment,
      current: {selected: false, text: $environment, value: $environment}};
    .tags = ((.tags // []) + [$tag] | unique)
    | .templating.list = ((.templating.list // []) as $list
      | if any($list[]; .name == "environment") then $list | map(
          if .name != "environment" then .
          else .current = ((.current // {}) + {text: $environment, value: $environment})
            | if .type == "constant" or .type == "textbox" then .query = $environment else . end
          end)
        else $list + [constant] end)' "$1"
}

# A dashboard as two of them are compared: without what Grafana counts.
normal_dashboard() {
  jq -S 'del(.id, .version, .iteration) | .tags = ((.tags // []) | unique)' "$1"
}

sync_folders() {
  local uid title
  while IFS= read -r uid && IFS= read -r title; do
    read_folder "$uid" || continue
    if [ -z "$found" ]; then write_folder "$uid" "$title" created || continue
    elif [ "$found_title" != "$title" ]; then write_folder "$uid" "$title" updated || continue
    else report unchanged "folder $uid"; fi
  done < <(jq -r '.folders[] | .uid, (.title | gsub("\n"; " "))' "$folders_file")
}

read_folder() { "${grafana_api}_read_folder" "$@"; }

# write_folder UID TITLE created|updated
write_folder() {
  if [ "$dry_run" = yes ]; then
    "${grafana_api}_show_write" folders "$3" "$1"
  else
    "${grafana_api}_write_folder" "$1" "$2" || return 1
  fi
  report "$3" "folder $1"
}

# sync_dashboard UID FOLDER: brings $work/wanted.json there unless it is there.
sync_dashboard() {
  local uid=$1 folder=$2 outcome tries
  for tries in 1 2; do
    "${grafana_api}_read_dashboard" "$uid" || return 0
    if [ -z "$found" ]; then outcome=created
    else
      outcome=updated
      if ! is_our_dashboard; then
        report_failure "dashboard $uid: Grafana has one with this uid that this script did not bring: delete it, or give it the tag $(our_tag)"
        return 0
      fi
      normal_dashboard "$work/there.json" >"$work/$uid (there)"
      normal_dashboard "$work/wanted.json" >"$work/$uid"
      if [ "$found_folder" = "$folder" ] && cmp -s -- "$work/$uid (there)" "$work/$uid"; then
        [ "$tries" = 2 ] || outcome=unchanged
        report "$outcome" "dashboard $uid"
        return 0
      fi
    fi
    if [ "$dry_run" = yes ]; then
      "${grafana_api}_show_write" dashboards "$outcome" "$uid"
      normal_dashboard "$work/wanted.json" >"$work/$uid"
      show_difference "$work/$uid (there)" "$work/$uid"
      [ -z "$found" ] || [ "$found_folder" = "$folder" ] || say "           folder ${found_folder:-General} -> $folder"
      report "$outcome" "dashboard $uid"
      return 0
    fi
    remember_dashboard "$uid"
    "${grafana_api}_write_dashboard" "$uid" "$folder" "$work/wanted.json"
    case $http_status in
      # Somebody else wrote it in between, or an attempt that seemed to fail took effect: look again.
      409 | 412) [ "$tries" = 2 ] || continue ;;
    esac
    expect "dashboard $uid" 200 201 || return 0
    report "$outcome" "dashboard $uid"
    return 0
  done
}

# Notes the dashboard that was read, or that there is none.
remember_dashboard() {
  if [ -z "$found" ]; then remember dashboard "$1" grafana
  else
    jq --arg folder "$found_folder" '{folder: $folder, dashboard: .}' "$work/there.json" >"$work/former.json"
    remember dashboard "$1" grafana "$work/former.json"
  fi
}

# Removes dashboards with our tag that the folder does not have.
prune_dashboards() {
  local uid
  "${grafana_api}_list_dashboards" >/dev/null || return 0
  for uid in "${listed[@]}"; do
    if jq -es --arg uid "$uid" 'any(.[]; .uid == $uid)' "${dashboard_files[@]}" >/dev/null; then continue; fi
    "${grafana_api}_read_dashboard" "$uid" || continue
    # What a list said a while ago is not what gets deleted.
    if [ -z "$found" ] || ! is_our_dashboard; then continue; fi
    if [ "$dry_run" = yes ]; then
      "${grafana_api}_show_write" dashboards pruned "$uid"
    else
      remember_dashboard "$uid"
      "${grafana_api}_delete_dashboard" "$uid"
      expect "dashboard $uid" 200 204 404 || continue
    fi
    report pruned "dashboard $uid"
  done
}
