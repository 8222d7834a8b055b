"""Reads with redis-py: by RESP2, or by RESP3 with a cache of its own."""

import sys
import time

import redis
from redis.cache import CacheConfig
from results import LONG, MANY, Results, md5

port = int(sys.argv[1])
with_cache = sys.argv[2] == "cache"
options = {"socket_timeout": 5, "socket_connect_timeout": 5, "retry": None}
if with_cache:
    options.update(protocol=3, cache_config=CacheConfig())
client = redis.Redis(port=port, **options)
# Its reads are not the cache's.
watcher = redis.Redis(port=port, socket_timeout=5)


def hits():
    return watcher.info("stats")["keyspace_hits"]


results = Results(client.get)
values = client.mget(MANY)
results.many({key: value for key, value in zip(MANY, values) if value is not None})
for name, call in {
    "set": lambda: client.set("plain", "other"),
    "long set": lambda: client.set("plain", LONG),
    "delete": lambda: client.delete("plain"),
    "incr": lambda: client.incr("plain"),
    "flushall": client.flushall,
}.items():
    results.write(name, call)

before = hits()
again = [client.get("plain").decode() for _ in range(10)]
asked = hits() - before
print("swap", flush=True)
sys.stdin.readline()
# A message of the server has the cache forget; it may be under way.
deadline = time.monotonic() + 10
while client.get("plain").decode() == again[0] and time.monotonic() < deadline:
    time.sleep(0.01)
results.add(
    asked=asked,
    again=sorted(set(again)),
    swapped=client.get("plain").decode(),
    items=client.dbsize(),
    pipeline=[md5(value) for value in client.pipeline(transaction=True).get("k1").get("none").execute()],
    info=client.client_info()["resp"],
)
results.print()
