# shellcheck shell=bash
# Rules to Prometheus, which has no call that takes them: files, a reload, and a look at what runs then. Every
# installed file ends with a line that says it is ours; files without it are left alone. One more file of ours records
# the digest of them all, so that what runs can be told from what lies in the folder, and the environment.

readonly OURS='# Installed by sync-observability.sh from its source: change that.'

sync_rules() {
  local dir=${PROMETHEUS_RULES_DIR:-}
  build_rules
  check_environment_of_prometheus
  if [ -z "$dir" ]; then compare_names; return; fi
  [ -d "$dir" ] || die "$EXIT_USAGE" "PROMETHEUS_RULES_DIR is not a folder: $dir"
  dir=$(cd -- "$dir" && pwd)

  local name
  local -a changed=() stale=()
  local -A outcomes=()
  for name in "${rule_names[@]}"; do
    outcomes[$name]=unchanged
    if cmp -s -- "$work/rules/$name" "$dir/$name"; then continue; fi
    outcomes[$name]=created
    if [ -e "$dir/$name" ]; then
      is_ours "$dir/$name" || die "$EXIT_FAILED" "$dir/$name was not installed by this script: move it away"
      outcomes[$name]=updated
    fi
    changed+=("$name")
    show_difference "$dir/$name" "$work/rules/$name"
  done
  [ "$prune" = no ] || find_stale_rules "$dir"
  look_at_running_rules

  if ((${#changed[@]} + ${#stale[@]} > 0)) || [ "$running_digest" != "$rules_digest" ]; then
    if [ "$dry_run" = yes ]; then say "           POST ${PROMETHEUS_URL%/}/-/reload"
    else
      rules_dir=$dir take_back=take_back_rules
      for name in "${changed[@]}"; do install_file "$work/rules/$name" "$dir/$name" prometheus; done
      for name in "${stale[@]}"; do remove_file "$dir/$name" prometheus; done
      reload_rules
      take_back=''
    fi
    # Files as they should be, of which Prometheus runs others: an earlier run was cut off.
    ((${#changed[@]} + ${#stale[@]} > 0)) || report updated "Prometheus (reload)"
  fi
  for name in "${rule_names[@]}"; do report "${outcomes[$name]}" "rules $name"; done
  for name in "${stale[@]}"; do report pruned "rules $name"; done
}

# The files as they are installed, in $work/rules; sets rule_names and rules_digest.
build_rules() {
  local name info=$service_name-sync.rules.yml
  mkdir -- "$work/rules"
  mapfile -t rule_names < <(printf '%s\n' "${!rule_files[@]}" | LC_ALL=C sort)
  for name in "${rule_names[@]}"; do
    { link_pages <"${rule_files[$name]}"; printf '\n%s\n' "$OURS"; } >"$work/rules/$name"
  done
  rules_digest=$(cd -- "$work/rules" && sha256sum -- * | sha256sum | cut -c 1-64)
  # YAML that is JSON.
  jq -n --arg service "$service_name" --arg environment "$environment" --arg digest "$rules_digest" '{groups: [{name: "\($service)-sync", rules: [
    {record: "sync:rules:info", expr: "vector(1)", labels: {service: $service, environment: $environment, digest: $digest}}]}]}' \
    >"$work/rules/$info"
  printf '%s\n' "$OURS" >>"$work/rules/$info"
  rules_digest=$environment/$rules_digest
  rule_names+=("$info")
}

is_ours() { [ "$(tail -n 1 -- "$1")" = "$OURS" ]; }

# Files of ours for this service that are no longer in the folder: into `stale` of the caller.
find_stale_rules() {
  local path
  for path in "$1/$service_name"-*.rules.yml; do
    if [ -e "$path" ] && [ ! -e "$work/rules/${path##*/}" ] && is_ours "$path"; then stale+=("${path##*/}"); fi
  done
}

# Sets running_digest to environment/digest of the rules of ours that run; empty if none do.
look_at_running_rules() {
  request PROMETHEUS GET '/api/v1/rules?type=record'
  [ "$http_status" = 200 ] || die "$EXIT_FAILED" "GET ${PROMETHEUS_URL%/}/api/v1/rules: $(answer_text)"
  running_digest=$(jq -r --arg service "$service_name" '[.data.groups[].rules[] | select(.name == "sync:rules:info" and .labels.service == $service)]
    | if length == 1 then .[0].labels | "\(.environment)/\(.digest)" elif length == 0 then "" else "several" end' "$http_body")
}

# Reloads and looks whether what was installed runs. If not, the run ends here, and the former files come back.
reload_rules() {
  retries=0 request PROMETHEUS POST /-/reload
  case $http_status in
    200) ;;
    403 | 404 | 405) die "$EXIT_FAILED" "Prometheus does not reload ($(answer_text)): start it with --web.enable-lifecycle" ;;
    *) die "$EXIT_FAILED" "Prometheus refused the new rules ($(answer_text))$(name_broken_rules)" ;;
  esac
  look_at_running_rules
  [ "$running_digest" != "$rules_digest" ] || return 0
  if [ -z "$running_digest" ]; then
    die "$EXIT_FAILED" "Prometheus reloaded and has none of the rules: rule_files of its configuration must match $rules_dir/*.yml"
  fi
  die "$EXIT_FAILED" "Prometheus reloaded and runs other rules than those in $rules_dir: does it read another folder?"
}

# Prometheus names the broken file in its log only.
name_broken_rules() {
  local path
  for path in "$rules_dir"/*.y*ml; do
    promtool check rules "$path" >/dev/null 2>&1 || printf '; broken: %s' "$path"
  done
}

# Runs at the end of a run that did not come to verify its rules.
take_back_rules() {
  take_back=''
  [ -n "${run_dir:-}" ] || return 0
  restore_files "$run_dir" prometheus
  forget_files prometheus
  complain "the former rules are back in $rules_dir"
  # In a shell of its own: a Prometheus that cannot be reached ends only that.
  if (retries=0 request PROMETHEUS POST /-/reload && [ "$http_status" = 200 ]); then complain "Prometheus runs them"
  else complain "Prometheus did not take the reload: it goes on with the rules that it had$(name_broken_rules)"; fi
}

# Rules of one environment never reach the Prometheus of another.
check_environment_of_prometheus() {
  local label
  request PROMETHEUS GET /api/v1/status/config
  [ "$http_status" = 200 ] || die "$EXIT_FAILED" "GET ${PROMETHEUS_URL%/}/api/v1/status/config: $(answer_text)"
  # Prometheus prints its configuration in one form, whatever the form of the file.
  label=$(jq -r '"\n" + .data.yaml | capture("\nglobal:\n(  [^\n]*\n)*?  external_labels:\n(    [^\n]*\n)*?    environment: [\"'\'']?(?<label>[A-Za-z]+)").label' "$http_body") || label=''
  case $label in
    prod) label=production ;;
    dev) label=development ;;
  esac
  if [ -z "$label" ]; then
    complain "note: Prometheus has no external label environment: alerts do not say where they come from (global.external_labels)"
  elif [ "$label" != "$environment" ]; then
    die "$EXIT_FAILED" "$PROMETHEUS_URL is Prometheus of $label (external label environment), not of $environment"
  fi
}

# Without a folder to install to: whether Prometheus has every rule, by name.
compare_names() {
  local missing name
  request PROMETHEUS GET /api/v1/rules
  [ "$http_status" = 200 ] || die "$EXIT_FAILED" "GET ${PROMETHEUS_URL%/}/api/v1/rules: $(answer_text)"
  for name in "${rule_names[@]}"; do
    [ -n "${rule_files[$name]:-}" ] || continue
    missing=$(sed -n 's/^[ -]*\(alert\|record\): *["'\'']\{0,1\}\([A-Za-z_:][A-Za-z0-9_:]*\).*/\2/p' "${rule_files[$name]}" |
      jq -rRn --slurpfile there "$http_body" '[inputs] - [$there[0].data.groups[].rules[].name] | unique | join(", ")')
    if [ -z "$missing" ]; then report unchanged "rules $name (names only)"
    elif [ "$dry_run" = yes ]; then report updated "rules $name: Prometheus lacks $missing"
    else report_failure "rules $name: Prometheus lacks $missing, and has no call that takes rules: set PROMETHEUS_RULES_DIR, or install them and run again"; fi
  done
}
