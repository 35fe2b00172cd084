#!/usr/bin/env bash
# A worker of bash and curl: turns texts to upper case. ORCHESTRATOR_SERVER: host and port of the service.
url="http://${ORCHESTRATOR_SERVER:-localhost:8002}/v1/workers"
post() { curl -sSN -H 'content-type: application/json' "$@"; }
field() { sed -n "s/.*\"$1\": *\"\([^\"]*\)\".*/\1/p"; }
report() { post "$url/$session:report" -d "{\"reports\": [$1]}" >/dev/null; }
while sleep 0.2; do
  session=$(post "$url" -d '{"name": "bash", "queues": ["shell"], "handlers": ["shout"]}' | field sessionId)
  post "$url/$session:poll" -d '{}' | while read -r line; do
    token=$(field taskToken <<<"$line")
    [ -n "$token" ] || { report ''; continue; } # A heartbeat: the session lives as long as it is named.
    output=$(field inputJson <<<"$line" | base64 -d | tr '[:lower:]' '[:upper:]')
    report "{\"taskToken\": \"$token\", \"succeeded\": {\"output\": $output}}"
  done
done
