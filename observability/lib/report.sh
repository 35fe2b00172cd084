# shellcheck shell=bash
# What a run says and how it ends. Lines about objects go to the output, faults to the error output.

readonly EXIT_FAILED=1 EXIT_USAGE=2 EXIT_VALIDATION=3 EXIT_DRIFT=4
# Objects by what became of them; in a dry run, of what would.
declare -A counts=([created]=0 [updated]=0 [unchanged]=0 [pruned]=0 [restored]=0 [failed]=0)

say() { printf '%s\n' "$*"; }

# Text of a server or a tool, safe for a terminal and without the token, should somebody echo it.
printable() {
  local -
  set +x
  local text
  text=$(tr -d '\000-\010\013-\037\177')
  [ -z "${GRAFANA_API_KEY:-}" ] || text=${text//"$GRAFANA_API_KEY"/***}
  printf '%s\n' "$text"
}

complain() { printf '%s\n' "sync-observability: $*" | printable >&2; }

die() {
  complain "${@:2}"
  exit "$1"
}

# report OUTCOME OBJECT: a line about an object, counted.
report() {
  counts[$1]=$((counts[$1] + 1))
  local word=$1
  if [ "$dry_run" = yes ]; then
    case $1 in
      created) word='to create' ;;
      updated) word='to update' ;;
      pruned) word='to prune' ;;
    esac
  fi
  printf '%-10s %s\n' "$word" "$2" | printable
}

# The object could not be brought; the run goes on and fails at its end.
report_failure() {
  counts[failed]=$((counts[failed] + 1))
  complain "$*"
}

# show_difference THERE HERE: what a dry run shows of two files; the first one may not exist.
show_difference() {
  [ "$dry_run" = yes ] || return 0
  local there=$1
  [ -e "$there" ] || there=/dev/null
  diff -u --label "there: ${1##*/}" --label "here: ${2##*/}" -- "$there" "$2" | printable || true
}

# Ends the run with its totals.
finish() {
  local outcome text=''
  for outcome in created updated unchanged pruned restored failed; do
    ((counts[$outcome] == 0)) || text="$text${text:+, }${counts[$outcome]} $outcome"
  done
  say "${text:-nothing to do}$([ "$dry_run" = no ] || echo ' (dry run: nothing was written)')"
  ((counts[failed] == 0)) || exit "$EXIT_FAILED"
  [ "$check" = no ] || ((counts[created] + counts[updated] + counts[pruned] == 0)) || exit "$EXIT_DRIFT"
  exit 0
}

# need_program NAME CURE
need_program() {
  command -v "$1" >/dev/null || die "$EXIT_FAILED" "$1 is missing: $2"
}

# A folder for this run, removed at its end. What is installed and not yet verified then is taken back.
open_work() {
  umask 077
  work=$(mktemp -d "${TMPDIR:-/tmp}/sync-observability.XXXXXX")
  trap close_work EXIT
  trap 'exit 129' HUP
  trap 'exit 130' INT
  trap 'exit 143' TERM
}

close_work() {
  local status=$?
  trap '' HUP INT TERM
  trap - EXIT
  [ -z "${take_back:-}" ] || "$take_back" || true
  rm -rf -- "$work"
  exit "$status"
}
