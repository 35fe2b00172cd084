"""Sends a message, prints the first COUNT with a key, or prints what a consumer group has committed, and the ends.

send SERVERS TOPIC KEY VALUE | read SERVERS TOPIC KEY COUNT | committed SERVERS TOPIC GROUP -
"""
import json
import sys

from confluent_kafka import Consumer, Producer, TopicPartition

command, servers, topic, key, last = sys.argv[1:]
if command == "send":
    producer = Producer({"bootstrap.servers": servers})
    producer.produce(topic, last, key=key)
    producer.flush()
    sys.exit()
group = key if command == "committed" else "reader"
consumer = Consumer({"bootstrap.servers": servers, "group.id": group, "enable.auto.commit": False})
partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
places = [TopicPartition(topic, partition, 0) for partition in partitions]
if command == "committed":
    ends = [consumer.get_watermark_offsets(place, timeout=10)[1] for place in places]
    committed = [place.offset for place in consumer.committed(places, timeout=10)]
    print(json.dumps({"committed": committed, "ends": ends}))
    sys.exit()
consumer.assign(places)
found = []
while len(found) < int(last):
    message = consumer.poll(1.0)
    if message is None or message.error() or (message.key() or b"").decode() != key:
        continue
    found.append({"value": json.loads(message.value()), "sent_at": message.timestamp()[1]})
print(json.dumps(found))
