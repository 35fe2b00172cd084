#!/bin/sh
# A Kafka broker for tests and the benchmark: one node, no ZooKeeper, on the loopback address. Needs Java 17 and Maven.
#   kafka.sh install             copies the broker's jars into .tools/kafka, unless they are there
#   kafka.sh start FOLDER PORT [secure]
#                                formats FOLDER once, starts the broker in the background, and prints its process id; it
#                                uses the port after PORT, too. An open port is not readiness: produce a message.
#                                `secure`: the port after that one takes TLS with the authority FOLDER/ca.pem and the
#                                login `orchestrator`, password `secret`, by PLAIN and SCRAM.
#   kafka.sh start FOLDER PORT join FIRST
#                                the same for a second node, of the cluster whose first one has the port FIRST
#   kafka.sh stop FOLDER         stops it; `kill -9` of the process id is a crash
set -eu
here=$(cd -- "$(dirname -- "$0")" && pwd)
jars=$here/../.tools/kafka
id=5L6g3nShT-eMCtK--X86sw

case ${1:-} in
  install)
    state=$(cksum <"$here/kafka/pom.xml")
    [ "$(cat "$jars/.install" 2>/dev/null || true)" = "$state" ] && exit 0
    for program in java mvn; do
      command -v "$program" >/dev/null || { echo "Kafka needs $program (Debian: apt-get install maven default-jre-headless)" >&2; exit 1; }
    done
    echo "Installing the Kafka broker into .tools/kafka" >&2
    mvn -q -B -f "$here/kafka/pom.xml" dependency:copy-dependencies "-DoutputDirectory=$jars" >&2
    echo "$state" >"$jars/.install" ;;
  start)
    folder=$2 port=$3 secure=${4:-} first=$3 node=1
    mkdir -p "$folder"
    controller=,CONTROLLER://127.0.0.1:$((port + 1)) roles=broker,controller more=''
    if [ "$secure" = join ]; then
      first=$5 node=2 secure='' controller='' roles=broker
    fi
    if [ -n "$secure" ]; then
      more=,SASL_SSL://127.0.0.1:$((port + 2))
      [ -e "$folder/ca.pem" ] || openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1 \
        -keyout "$folder/key.pem" -out "$folder/ca.pem" 2>/dev/null
      cat "$folder/key.pem" "$folder/ca.pem" >"$folder/keystore.pem"
    fi
    cat >"$folder/server.properties" <<PROPERTIES
process.roles=$roles
node.id=$node
controller.quorum.voters=1@127.0.0.1:$((first + 1))
listeners=PLAINTEXT://127.0.0.1:$port$controller$more
advertised.listeners=PLAINTEXT://127.0.0.1:$port$more
controller.listener.names=CONTROLLER
log.dirs=$folder/data
num.partitions=4
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
log.segment.bytes=67108864
PROPERTIES
    [ -z "$secure" ] || cat >>"$folder/server.properties" <<PROPERTIES
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_SSL:SASL_SSL
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512
ssl.keystore.type=PEM
ssl.keystore.location=$folder/keystore.pem
listener.name.sasl_ssl.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_orchestrator="secret";
listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
PROPERTIES
    if [ ! -e "$folder/data/meta.properties" ]; then
      java -Xmx128m -cp "$jars/*" kafka.tools.StorageTool format -t "$id" -c "$folder/server.properties" \
        ${secure:+--add-scram 'SCRAM-SHA-256=[name=orchestrator,password=secret]'} \
        ${secure:+--add-scram 'SCRAM-SHA-512=[name=orchestrator,password=secret]'} >"$folder/format.log" 2>&1 ||
        { cat "$folder/format.log" >&2; exit 1; }
    fi
    nohup java -Xmx384m -Xms128m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -cp "$jars/*" kafka.Kafka "$folder/server.properties" >>"$folder/broker.log" 2>&1 </dev/null &
    echo $! >"$folder/pid"
    cat "$folder/pid" ;;
  stop)
    pid=$(cat "$2/pid" 2>/dev/null) || exit 0
    kill "$pid" 2>/dev/null || exit 0
    while kill -0 "$pid" 2>/dev/null; do sleep 0.1; done ;;
  *)
    sed -n '2,11p' "$0" >&2
    exit 2 ;;
esac
