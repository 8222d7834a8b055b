import sys

import memcache
from results import LONG, MANY, Results

# debug: a reply that the client does not understand is reported on stderr.
client = memcache.Client([f"127.0.0.1:{sys.argv[1]}"], debug=1, cache_cas=True, socket_timeout=5)


def stats():
    return client.get_stats()[0][1]


results = Results(client.get)
results.many(client.get_multi(MANY))
before = stats()
results.add(gets=client.gets("plain"), gets_miss=client.gets("none"), version=before["version"])

for noreply in (False, True):
    name = "noreply " if noreply else ""
    for verb in ("set", "add", "replace", "append", "prepend", "cas"):
        write = getattr(client, verb)
        results.write(name + verb, lambda: write("plain", "other", noreply=noreply))
    results.write(name + "long set", lambda: client.set("plain", LONG, noreply=noreply))
    results.write(name + "incr", lambda: client.incr("plain", 1, noreply=noreply))
    results.write(name + "decr", lambda: client.decr("plain", 1, noreply=noreply))
    results.write(name + "delete", lambda: client.delete("plain", noreply=noreply))
    results.write(name + "touch", lambda: client.touch("plain", 60, noreply=noreply))
    pairs = {"plain": "other", "new": "other"}
    results.write(name + "set_multi", lambda: client.set_multi(pairs, noreply=noreply))
    results.write(
        name + "delete_multi", lambda: client.delete_multi(["plain", "new"], noreply=noreply)
    )
results.write("flush_all", client.flush_all)
after = stats()
results.add(
    reconnects=int(after["total_connections"]) - int(before["total_connections"]),
    items=int(after["curr_items"]),
)
client.disconnect_all()
results.print()
