# shellcheck shell=bash
# What runs replaced, for `rollback`: a folder per run below SYNC_STATE_DIR/<environment>, with a line in
# changes.jsonl for each change, written before the change is made, and the former content beside it. The last ten are
# kept.

state_root() {
  printf '%s' "${SYNC_STATE_DIR:-${XDG_STATE_HOME:-$HOME/.local/state}/sync-observability}/$environment"
}

# remember KIND NAME TARGET [FORMER]: notes a change of a `file` or `dashboard`; without FORMER it was not there before.
remember() {
  if [ -z "${run_dir:-}" ]; then
    local root
    root=$(state_root)
    mkdir -p -- "$root"
    run_dir=$(mktemp -d "$root/$(date -u +%Y%m%dT%H%M%SZ)-$(printf '%07d' $$).XXXX")
    run_changes=0
    find "$root" -mindepth 1 -maxdepth 1 -type d | sort -r | tail -n +11 | while IFS= read -r old; do rm -rf -- "$old"; done
  fi
  run_changes=$((run_changes + 1))
  [ -z "${4:-}" ] || cp -- "$4" "$run_dir/$run_changes"
  jq -cn --arg kind "$1" --arg name "$2" --arg target "$3" --argjson former "$([ -n "${4:-}" ] && echo "$run_changes" || echo null)" \
    '{kind: $kind, name: $name, target: $target, former: $former}' >>"$run_dir/changes.jsonl"
}

# put_file SOURCE DESTINATION: the destination has the old content or the new one, never a part.
put_file() {
  local mode=644 new
  # The name ends in nothing that Prometheus or Alertmanager read.
  new=$(dirname -- "$2")/.$(basename -- "$2").$$.new
  [ ! -e "$2" ] || mode=$(stat -c %a -- "$2" 2>/dev/null || stat -f %Lp -- "$2")
  if cp -- "$1" "$new" && chmod "$mode" -- "$new" && mv -f -- "$new" "$2"; then return 0; fi
  rm -f -- "$new"
  return 1
}

# install_file SOURCE DESTINATION TARGET: remembers the former content, then puts the new one.
install_file() {
  if [ -e "$2" ]; then remember file "$2" "$3" "$2"; else remember file "$2" "$3"; fi
  put_file "$1" "$2" || die "$EXIT_FAILED" "cannot write $2"
}

# remove_file PATH TARGET
remove_file() {
  remember file "$1" "$2" "$1"
  rm -f -- "$1"
}

# restore_files RUN_DIR TARGET: files of a target as they were before the run, the last change first.
restore_files() {
  local name former
  [ -e "$1/changes.jsonl" ] || return 0
  jq -rs --arg target "$2" 'reverse[] | select(.kind == "file" and .target == $target) | .former // "-", .name' "$1/changes.jsonl" |
    while IFS= read -r former && IFS= read -r name; do
      if [ "$former" = - ]; then rm -f -- "$name"; else put_file "$1/$former" "$name" || exit 1; fi
    done
}

# forget_files TARGET: takes the changes of files of a target out of this run, after they were taken back.
forget_files() {
  jq -c --arg target "$1" 'select(.kind != "file" or .target != $target)' "$run_dir/changes.jsonl" >"$work/changes"
  if [ -s "$work/changes" ]; then cp -- "$work/changes" "$run_dir/changes.jsonl"; else rm -rf -- "$run_dir"; run_dir=''; fi
}
