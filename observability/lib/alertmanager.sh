# shellcheck shell=bash
# The configuration of Alertmanager, which has no call that takes it: files, a reload, and a look at what runs then.

sync_alertmanager() {
  if [ -z "$alertmanager_file" ]; then
    say "skipped    Alertmanager: alertmanager/alertmanager.yml is missing; the example is installed in development only"
    return
  fi
  need_program md5sum "apt-get install coreutils, brew install coreutils"
  local dir=${ALERTMANAGER_CONFIG_DIR:-} name
  build_alertmanager
  if [ -z "$dir" ]; then compare_alertmanager; return; fi
  [ -d "$dir" ] || die "$EXIT_USAGE" "ALERTMANAGER_CONFIG_DIR is not a folder: $dir"
  dir=$(cd -- "$dir" && pwd)

  local -a changed=()
  local -A outcomes=()
  for name in "${alertmanager_names[@]}"; do
    outcomes[$name]=unchanged
    if cmp -s -- "$work/alertmanager/$name" "$dir/$name"; then continue; fi
    outcomes[$name]=created
    if [ -e "$dir/$name" ]; then
      is_ours "$dir/$name" || die "$EXIT_FAILED" "$dir/$name was not installed by this script: move it away"
      outcomes[$name]=updated
    fi
    changed+=("$name")
    show_difference "$dir/$name" "$work/alertmanager/$name"
  done
  look_at_running_hash
  if ((${#changed[@]} > 0)) || [ "$running_hash" != "$alertmanager_hash" ]; then
    if [ "$dry_run" = yes ]; then say "           POST ${ALERTMANAGER_URL%/}/-/reload"
    else
      alertmanager_dir=$dir take_back=take_back_alertmanager
      for name in "${changed[@]}"; do
        mkdir -p -- "$(dirname -- "$dir/$name")"
        install_file "$work/alertmanager/$name" "$dir/$name" alertmanager
      done
      reload_alertmanager
      take_back=''
    fi
    ((${#changed[@]} > 0)) || report updated "Alertmanager (reload)"
  fi
  for name in "${alertmanager_names[@]}"; do report "${outcomes[$name]}" "Alertmanager $name"; done
}

# The files as they are installed, in $work/alertmanager; sets alertmanager_names and alertmanager_hash.
build_alertmanager() {
  local template
  mkdir -p -- "$work/alertmanager/templates"
  { cat -- "$alertmanager_file"; printf '\n%s\n' "$OURS"; } >"$work/alertmanager/alertmanager.yml"
  alertmanager_names=()
  for template in "$source_dir"/alertmanager/templates/*.tmpl; do
    [ -e "$template" ] || continue
    # A comment of templates: text outside of definitions is never printed.
    { cat -- "$template"; printf '\n%s\n' "$OURS"; } >"$work/alertmanager/templates/${template##*/}"
    alertmanager_names+=("templates/${template##*/}")
  done
  alertmanager_names+=(alertmanager.yml)
  alertmanager_hash=$(hash_of "$work/alertmanager/alertmanager.yml")
}

# The number by which Alertmanager tells configurations apart: the first six bytes of the MD5 of its file, the least
# one first.
hash_of() {
  local sum
  sum=$(md5sum <"$1")
  echo $((16#${sum:10:2}${sum:8:2}${sum:6:2}${sum:4:2}${sum:2:2}${sum:0:2}))
}

# Sets running_hash to that of the configuration that runs. The status, in which secrets are hidden, cannot show it.
look_at_running_hash() {
  request ALERTMANAGER GET /metrics
  [ "$http_status" = 200 ] || die "$EXIT_FAILED" "GET ${ALERTMANAGER_URL%/}/metrics: $(answer_text)"
  running_hash=$(awk '/^alertmanager_config_hash/ { printf "%.0f\n", $2 }' "$http_body")
}

# Reloads and looks whether what was installed runs. If not, the run ends here, and the former files come back.
reload_alertmanager() {
  local file=$alertmanager_dir/alertmanager.yml
  retries=0 request ALERTMANAGER POST /-/reload
  [ "$http_status" = 200 ] || die "$EXIT_FAILED" "Alertmanager refused $file ($(answer_text))"
  look_at_running_hash
  [ "$running_hash" = "$alertmanager_hash" ] ||
    die "$EXIT_FAILED" "Alertmanager reloaded and runs another configuration than $file: does it read another file?"
  request ALERTMANAGER GET /api/v2/status
  [ "$http_status" = 200 ] || die "$EXIT_FAILED" "GET ${ALERTMANAGER_URL%/}/api/v2/status: $(answer_text)"
  jq -r .config.original "$http_body" >"$work/running.yml"
  [ "$(routes_of "$work/running.yml")" = "$(routes_of "$file")" ] ||
    die "$EXIT_FAILED" "Alertmanager reloaded and has other routes than $file"
}

# The routes of a file as amtool draws them; it warns of its own default address.
routes_of() { amtool config routes show --config.file "$1" 2>/dev/null || printf 'unreadable: %s' "$1"; }

# Runs at the end of a run that did not come to verify the configuration.
take_back_alertmanager() {
  take_back=''
  [ -n "${run_dir:-}" ] || return 0
  restore_files "$run_dir" alertmanager
  forget_files alertmanager
  complain "the former configuration is back in $alertmanager_dir"
  if (retries=0 request ALERTMANAGER POST /-/reload && [ "$http_status" = 200 ]); then complain "Alertmanager runs it"
  else complain "Alertmanager did not take the reload: it goes on with the configuration that it had"; fi
}

# Without a folder to install to: whether Alertmanager runs the file, with the line that installing adds or without it.
compare_alertmanager() {
  look_at_running_hash
  if [ "$running_hash" = "$(hash_of "$alertmanager_file")" ] || [ "$running_hash" = "$alertmanager_hash" ]; then
    report unchanged "Alertmanager ${alertmanager_file##*/}"
  elif [ "$dry_run" = yes ]; then report updated "Alertmanager ${alertmanager_file##*/}: it runs another configuration"
  else report_failure "Alertmanager runs another configuration than ${alertmanager_file##*/}, and has no call that takes one: set ALERTMANAGER_CONFIG_DIR"; fi
}
