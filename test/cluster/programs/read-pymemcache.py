"""Reads the keys of a file with the client of shards.py, and prints how many have themselves as value:
read-pymemcache.py FILE [STOP]. With STOP, it reads until there is a file of that name."""

import json
import os
import sys
import time

import shards

with open(sys.argv[1], "rb") as file:
    keys = [line for line in file.read().split(b"\n") if line]
client = shards.connect()


def ask(found, read):
    start = time.monotonic()
    try:
        found["right" if read() else "wrong"] += 1
    except Exception as error:
        found["errors"] += 1
        found["said"] = (found["said"] + [repr(error)])[:5]
    found["slowestMs"] = max(found["slowestMs"], (time.monotonic() - start) * 1000)


def keep_reading(stop):
    found = {"right": 0, "wrong": 0, "errors": 0, "slowestMs": 0, "said": []}
    print("ready", flush=True)
    while not os.path.exists(stop):
        for at in range(0, len(keys), 100):
            some = keys[at : at + 100]
            for key in some[:3]:
                ask(found, lambda: client.get(key) == key)
            ask(found, lambda: len(client.get_many(some)) == len(some))
    print(json.dumps(found))


if len(sys.argv) > 2:
    keep_reading(sys.argv[2])
else:
    right = sum(client.get(key) == key for key in keys)
    many = client.get_many(keys[:500])
    print(json.dumps({"right": right, "many": sum(key == many[key] for key in many)}))
