# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154
# Grafana's API below /apis: Grafana 12 and later. Objects are those of Kubernetes: the uid is metadata.name, the
# folder an annotation, and metadata.resourceVersion says what an update replaces.

apis_path() { printf '/apis/%s.grafana.app/%s/namespaces/%s/%s' "${1%s}" "$apis_version" "$(path_part "${GRAFANA_NAMESPACE:-default}")" "$1"; }

# Sets found (empty: there is none), and found_title.
apis_read_folder() {
  found='' found_title=''
  request GRAFANA GET "$(apis_path folders)/$1"
  expect "folder $1" 200 404 || return 1
  if [ "$http_status" = 404 ]; then return 0; fi
  found=yes
  found_title=$(jq -r .spec.title "$http_body")
  jq . "$http_body" >"$work/there-folder.json"
}

# apis_write_folder UID TITLE
apis_write_folder() {
  if [ -z "$found" ]; then
    jq -n --arg uid "$1" --arg title "$2" --arg version "$apis_version" '{apiVersion: "folder.grafana.app/\($version)", kind: "Folder",
      metadata: {name: $uid}, spec: {title: $title}}' >"$work/body.json"
    request GRAFANA POST "$(apis_path folders)" "$work/body.json"
  else
    jq --arg title "$2" '{apiVersion, kind, metadata: (.metadata | {name, resourceVersion, annotations: (.annotations // {})}),
      spec: (.spec + {title: $title})}' "$work/there-folder.json" >"$work/body.json"
    request GRAFANA PUT "$(apis_path folders)/$1" "$work/body.json"
  fi
  # A first attempt that seemed to fail made it.
  if [ "$http_status" = 409 ]; then
    local conflict
    conflict=$(answer_text)
    apis_read_folder "$1" || return 1
    if [ "$found_title" = "$2" ]; then return 0; fi
    report_failure "folder $1: $conflict"
    return 1
  fi
  expect "folder $1" 200 201
}

# apis_show_write folders|dashboards OUTCOME UID: the call that a dry run leaves out.
apis_show_write() {
  case $2 in
    created) say "           POST ${GRAFANA_URL%/}$(apis_path "$1")" ;;
    updated) say "           PUT ${GRAFANA_URL%/}$(apis_path "$1")/$3" ;;
    *) say "           DELETE ${GRAFANA_URL%/}$(apis_path "$1")/$3" ;;
  esac
}

# Sets found and found_folder, and writes the dashboard, with its uid, to $work/there.json.
apis_read_dashboard() {
  found='' found_folder=''
  request GRAFANA GET "$(apis_path dashboards)/$1"
  expect "dashboard $1" 200 404 || return 1
  if [ "$http_status" = 404 ]; then return 0; fi
  found=yes
  found_folder=$(jq -r '.metadata.annotations["grafana.app/folder"] // ""' "$http_body")
  jq .metadata "$http_body" >"$work/there-metadata.json"
  jq '.metadata.name as $uid | .spec + {uid: $uid}' "$http_body" >"$work/there.json"
}

# apis_write_dashboard UID FOLDER FILE: refused if it is not the version that was read.
apis_write_dashboard() {
  [ -n "$found" ] || echo '{}' >"$work/there-metadata.json"
  jq --arg uid "$1" --arg folder "$2" --arg version "$apis_version" --arg message "sync-observability ($environment)" \
    --slurpfile there "$work/there-metadata.json" '
    {apiVersion: "dashboard.grafana.app/\($version)", kind: "Dashboard",
     metadata: ({name: $uid, annotations: (($there[0].annotations // {}) + {"grafana.app/folder": $folder, "grafana.app/message": $message})}
       + ($there[0] | if .resourceVersion then {resourceVersion} else {} end)),
     spec: del(.id, .uid, .version)}' "$3" >"$work/body.json"
  if [ -z "$found" ]; then request GRAFANA POST "$(apis_path dashboards)" "$work/body.json"
  else request GRAFANA PUT "$(apis_path dashboards)/$1" "$work/body.json"; fi
}

apis_delete_dashboard() { request GRAFANA DELETE "$(apis_path dashboards)/$1"; }

# Sets listed to the uids of the dashboards with our tag.
apis_list_dashboards() {
  local next='' more
  listed=()
  while :; do
    request GRAFANA GET "$(apis_path dashboards)?limit=200${next:+&continue=$next}"
    expect "list of dashboards" 200 || return 1
    mapfile -t more < <(jq -r --arg tag "$(our_tag)" '.items[] | select(.spec.tags // [] | index($tag)) | .metadata.name' "$http_body")
    listed+=("${more[@]}")
    next=$(jq -r '.metadata.continue // "" | @uri' "$http_body")
    [ -n "$next" ] || return 0
  done
}
