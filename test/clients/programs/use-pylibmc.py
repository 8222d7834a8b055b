import sys

import pylibmc
from results import LONG, MANY, Results

server, binary = f"127.0.0.1:{sys.argv[1]}", sys.argv[2] == "binary"
behaviors = {"cas": True, "receive_timeout": 5_000_000, "connect_timeout": 5_000}
client = pylibmc.Client([server], binary=binary, behaviors=behaviors)


def stats():
    return client.get_stats()[0][1]


results = Results(client.get)
results.many(client.get_multi(MANY))
value, cas = client.gets("plain")
before = stats()
results.add(
    gets=[value.decode(), cas],
    gets_miss=client.gets("none"),
    version=before["version"],
    items=int(before["curr_items"]),
)

for verb in ("set", "add", "replace", "append", "prepend"):
    write = getattr(client, verb)
    results.write(verb, lambda: write("plain", b"other"))
results.write("long set", lambda: client.set("plain", LONG))
results.write("cas", lambda: client.cas("plain", b"other", cas))
results.write("incr", lambda: client.incr("plain", 1))
results.write("decr", lambda: client.decr("plain", 1))
results.write("delete", lambda: client.delete("plain"))
results.write("touch", lambda: client.touch("plain", 60))
results.write("set_multi", lambda: client.set_multi({"plain": b"other", "new": b"other"}))
results.write("add_multi", lambda: client.add_multi({"plain": b"other", "new": b"other"}))
results.write("delete_multi", lambda: client.delete_multi(["plain", "new"]))
results.write("incr_multi", lambda: client.incr_multi(["plain", "new"]))
results.write("flush_all", client.flush_all)
results.add(reconnects=int(stats()["total_connections"]) - int(before["total_connections"]))

# A change of behaviours opens a new connection: counted apart.
client.behaviors["_noreply"] = True
for verb in ("set", "add", "replace", "append", "prepend"):
    write = getattr(client, verb)
    results.write("noreply " + verb, lambda: write("plain", b"other"))
results.write("noreply long set", lambda: client.set("plain", LONG))
results.write("noreply delete", lambda: client.delete("plain"))
results.write("noreply incr", lambda: client.incr("plain", 1))
results.write("noreply set_multi", lambda: client.set_multi({"plain": b"other", "new": b"other"}))
client.disconnect_all()
results.print()
