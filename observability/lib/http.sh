# shellcheck shell=bash
# Requests to the three targets. The token goes to curl through its standard input: never into arguments, traces, or
# the environment of other programs.

# check_url VARIABLE: the URL is one that requests can be built on.
check_url() {
  [[ ${!1} =~ ^https?://[^/@?#[:space:]\"\\]+(/[^@?#[:space:]\"\\]*)?$ ]] ||
    die "$EXIT_USAGE" "$1 is not an http(s) URL without user, query, and fragment (curl reads users from ~/.netrc)"
}

check_grafana_access() {
  check_url GRAFANA_URL
  [ -n "${GRAFANA_API_KEY:+set}" ] || die "$EXIT_USAGE" "GRAFANA_API_KEY is missing: a token of a service account with the role Editor"
  has_plain_token || die "$EXIT_USAGE" "GRAFANA_API_KEY has characters that no token has (a line break, a quote, a space?)"
  case $GRAFANA_URL in
    http://*) [ "$insecure" = yes ] || die "$EXIT_USAGE" "GRAFANA_URL is http://, which shows the token on the way: use https://, or --insecure" ;;
  esac
}

has_plain_token() {
  local -
  set +x
  [[ $GRAFANA_API_KEY =~ ^[A-Za-z0-9_.~+/=-]+$ ]]
}

# request TARGET METHOD PATH [BODY]: sends it to GRAFANA, PROMETHEUS, or ALERTMANAGER. Sets http_status, and http_body
# to a file with the answer. Repeats answers of 429 and 5xx up to `retries` (3) times, later each time, and never
# earlier than the server says. A target that cannot be reached ends the run.
request() {
  local url_variable=$1_URL method=$2 path=$3 body=${4:-}
  local url=${!url_variable%/}$path limit=${retries:-3} tries=0
  # A dry run writes nothing, whatever a caller forgot.
  [ "$method" = GET ] || [ "$dry_run" = no ] || die "$EXIT_FAILED" "bug: $method $url in a dry run"
  http_body=$work/answer
  while :; do
    : >"$http_body"
    : >"$work/headers"
    http_status=$(curl_settings "$1" "$method" "$url" "$body" | curl -q --config - 2>"$work/curl-says") ||
      die "$EXIT_FAILED" "$method $url: $(head -c 300 "$work/curl-says")"
    case $http_status in
      429 | 5??) ((++tries <= limit)) || return 0 ;;
      *) return 0 ;;
    esac
    pause "$tries"
  done
}

# The settings of a request, for the standard input of curl.
curl_settings() {
  local -
  set +x
  printf '%s\n' silent show-error netrc-optional globoff 'proto = "=http,https"' 'connect-timeout = 5' 'max-time = 30' \
    'max-filesize = 52428800' 'write-out = "%{http_code}"'
  printf '%s = "%s"\n' request "$2" url "$3" output "$(quoted "$work/answer")" dump-header "$(quoted "$work/headers")"
  [ "$1" != GRAFANA ] || printf 'header = "Authorization: Bearer %s"\n' "$GRAFANA_API_KEY"
  [ -z "$4" ] || printf '%s = "%s"\n' header 'Content-Type: application/json' data-binary "@$(quoted "$4")"
}

# A value for curl's configuration.
quoted() {
  local text=${1//\\/\\\\}
  printf '%s' "${text//\"/\\\"}"
}

# pause TRIES: half a second, then a second, then two; each more or less by half, so that clients do not come back
# together.
pause() {
  local ms=$((250 * 2 ** $1 * (50 + RANDOM % 101) / 100)) after
  after=$(sed -n 's/^[Rr]etry-[Aa]fter: *\([0-9]\{1,4\}\)[^0-9]*$/\1/p' "$work/headers" | tail -n 1)
  [ -z "$after" ] || ((after * 1000 <= ms)) || ms=$((10#$after * 1000))
  ((ms <= 30000)) || ms=30000
  sleep "$((ms / 1000)).$(printf '%03d' $((ms % 1000)))"
}

# What the target said with its refusal.
answer_text() {
  local text
  text=$(jq -r 'if type == "object" then (.message // .error // empty) else empty end | tostring' "$http_body" 2>/dev/null) || text=''
  [ -n "$text" ] || text=$(head -c 300 "$http_body" | tr '\n' ' ')
  printf '%s' "$http_status${text:+: ${text:0:300}}"
}

# Text as a part of a path.
path_part() { jq -rn --arg text "$1" '$text | @uri'; }
