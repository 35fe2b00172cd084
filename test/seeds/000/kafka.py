"""send SERVERS TOPIC KEY VALUE | read SERVERS TOPIC KEY COUNT: sends a message, or prints the first COUNT with a key."""
import json
import sys

from confluent_kafka import Consumer, Producer, TopicPartition

command, servers, topic, key, last = sys.argv[1:]
if command == "send":
    producer = Producer({"bootstrap.servers": servers})
    producer.produce(topic, last, key=key)
    producer.flush()
    sys.exit()
consumer = Consumer({"bootstrap.servers": servers, "group.id": "reader", "enable.auto.commit": False})
partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
consumer.assign([TopicPartition(topic, partition, 0) for partition in partitions])
found = []
while len(found) < int(last):
    message = consumer.poll(1.0)
    if message is None or message.error() or (message.key() or b"").decode() != key:
        continue
    found.append({"value": json.loads(message.value()), "sent_at": message.timestamp()[1]})
print(json.dumps(found))
