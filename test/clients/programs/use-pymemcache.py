import sys

from pymemcache.client.base import Client
from results import LONG, MANY, Results

port = int(sys.argv[1])
client = Client(("127.0.0.1", port), timeout=5, connect_timeout=5)


def total_connections():
    return int(client.stats()[b"total_connections"])


results = Results(client.get)
results.many(client.get_many(MANY))
value, cas = client.gets("plain")
results.add(
    gets=[value.decode(), cas.decode()],
    gets_miss=client.gets("none"),
    gets_many=sorted(client.gets_many(["plain", "none", "empty"])),
    version=client.version().decode(),
)
before = total_connections()

for noreply in (False, True):
    name = "noreply " if noreply else ""
    for verb in ("set", "add", "replace", "append", "prepend"):
        write = getattr(client, verb)
        results.write(name + verb, lambda: write("plain", "other", noreply=noreply))
    results.write(name + "long set", lambda: client.set("plain", LONG, noreply=noreply))
    results.write(name + "incr", lambda: client.incr("plain", 1, noreply=noreply))
    results.write(name + "decr", lambda: client.decr("plain", 1, noreply=noreply))
    results.write(name + "delete", lambda: client.delete("plain", noreply=noreply))
    results.write(name + "touch", lambda: client.touch("plain", 60, noreply=noreply))
    pairs = {"plain": "other", "new": "other"}
    results.write(name + "set_many", lambda: client.set_many(pairs, noreply=noreply))
    results.write(
        name + "delete_many", lambda: client.delete_many(["plain", "new"], noreply=noreply)
    )
results.write("noreply cas", lambda: client.cas("plain", "other", cas, noreply=True))
results.write("noreply flush_all", lambda: client.flush_all(noreply=True))
results.add(reconnects=total_connections() - before)
# Last: this client gives up the connection after a reply that it does not know or that is an error.
results.write("cas", lambda: client.cas("plain", "other", cas, noreply=False))
results.write("flush_all", lambda: client.flush_all(noreply=False))
results.add(items=int(client.stats()[b"curr_items"]))
client.quit()
results.print()
