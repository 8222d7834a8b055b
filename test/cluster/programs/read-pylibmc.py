"""Reads the keys of a file with the client of shards.py, and prints how many have themselves as value."""

import json
import sys

import shards

with open(sys.argv[1], "rb") as file:
    keys = [line for line in file.read().split(b"\n") if line]
client = shards.connect()
right = sum(client.get(key) == key for key in keys)
many = client.get_multi(keys[:500])
print(json.dumps({"right": right, "many": sum(key == many[key] for key in many)}))
