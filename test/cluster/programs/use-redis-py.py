"""Reads a Redis Cluster with redis-py: use-redis-py.py PORT FILE [SECONDS]. Prints a line of JSON."""

import json
import sys
import time

from redis.cluster import RedisCluster

port, path = int(sys.argv[1]), sys.argv[2]
seconds = float(sys.argv[3]) if len(sys.argv) > 3 else 0

with open(path) as lines:
    records = [tuple(bytes.fromhex(word) for word in line.split(" ")) for line in lines.read().splitlines()]

client = RedisCluster(host="127.0.0.1", port=port, socket_timeout=2)
found = {"right": 0, "wrong": 0, "errors": 0, "slowestMs": 0, "said": []}
end = time.monotonic() + seconds
print("ready", flush=True)
while True:
    for key, value in records:
        start = time.monotonic()
        try:
            answer = client.get(key)
            found["right" if answer == value else "wrong"] += 1
        except Exception as error:
            found["errors"] += 1
            found["said"] = (found["said"] + [repr(error)])[:5]
        found["slowestMs"] = max(found["slowestMs"], (time.monotonic() - start) * 1000)
    if time.monotonic() >= end:
        break
if seconds == 0:
    found["absent"] = [client.get("none:%d" % at) for at in range(50)]
    found["many"] = [value.hex() for value in client.mget_nonatomic([key for key, _ in records[:50]])]
    found["keyslot"] = client.keyslot("{tag}x") == client.cluster_keyslot("{tag}x")
    found["state"] = client.cluster_info()["cluster_state"]
    found["nodes"] = len(client.get_nodes())
print(json.dumps(found))
