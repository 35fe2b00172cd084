# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154
# Grafana's API below /api: Grafana 10 and 11, and all those that hide their version.

# Sets found (empty: there is none), found_title, and found_version.
legacy_read_folder() {
  found='' found_title='' found_version=''
  request GRAFANA GET "/api/folders/$1"
  expect "folder $1" 200 404 || return 1
  if [ "$http_status" = 404 ]; then return 0; fi
  found=yes
  found_title=$(jq -r .title "$http_body")
  found_version=$(jq -r .version "$http_body")
}

# legacy_write_folder UID TITLE
legacy_write_folder() {
  if [ -z "$found" ]; then
    jq -n --arg uid "$1" --arg title "$2" '{uid: $uid, title: $title}' >"$work/body.json"
    request GRAFANA POST /api/folders "$work/body.json"
  else
    jq -n --arg title "$2" --argjson version "$found_version" '{title: $title, version: $version}' >"$work/body.json"
    request GRAFANA PUT "/api/folders/$1" "$work/body.json"
  fi
  # A first attempt that seemed to fail made it.
  if [ "$http_status" = 409 ] || [ "$http_status" = 412 ]; then
    local conflict
    conflict=$(answer_text)
    legacy_read_folder "$1" || return 1
    if [ "$found_title" = "$2" ]; then return 0; fi
    report_failure "folder $1: $conflict"
    return 1
  fi
  expect "folder $1" 200
}

# legacy_show_write folders|dashboards OUTCOME UID: the call that a dry run leaves out.
legacy_show_write() {
  local path=/api/folders
  [ "$1" = folders ] || path=/api/dashboards/db
  case $1-$2 in
    *-pruned) say "           DELETE ${GRAFANA_URL%/}/api/dashboards/uid/$3" ;;
    folders-updated) say "           PUT ${GRAFANA_URL%/}$path/$3" ;;
    *) say "           POST ${GRAFANA_URL%/}$path" ;;
  esac
}

# Sets found, found_folder, and found_version, and writes the dashboard to $work/there.json.
legacy_read_dashboard() {
  found='' found_folder='' found_version=0
  request GRAFANA GET "/api/dashboards/uid/$1"
  expect "dashboard $1" 200 404 || return 1
  if [ "$http_status" = 404 ]; then return 0; fi
  found=yes
  found_folder=$(jq -r '.meta.folderUid // ""' "$http_body")
  found_version=$(jq -r .dashboard.version "$http_body")
  jq .dashboard "$http_body" >"$work/there.json"
}

# legacy_write_dashboard UID FOLDER FILE: refused if it is not the version that was read.
legacy_write_dashboard() {
  jq --arg folder "$2" --argjson version "$found_version" --arg message "sync-observability ($environment)" '
    {dashboard: (. + {id: null, version: $version}), folderUid: $folder, overwrite: false, message: $message}' "$3" >"$work/body.json"
  request GRAFANA POST /api/dashboards/db "$work/body.json"
}

legacy_delete_dashboard() { request GRAFANA DELETE "/api/dashboards/uid/$1"; }

# Sets listed to the uids of the dashboards with our tag.
legacy_list_dashboards() {
  local page=0 more
  listed=()
  while :; do
    page=$((page + 1))
    request GRAFANA GET "/api/search?type=dash-db&tag=$(path_part "$(our_tag)")&limit=500&page=$page"
    expect "list of dashboards" 200 || return 1
    mapfile -t more < <(jq -r '.[].uid' "$http_body")
    ((${#more[@]} > 0)) || return 0
    listed+=("${more[@]}")
  done
}
