#!/usr/bin/env python3
"""Reads by pymemcache: read.py PORT KEY..."""
import sys

from pymemcache.client.base import Client

client = Client(("127.0.0.1", int(sys.argv[1])))
for key, value in client.get_many(sys.argv[2:]).items():
    print(f"{key}: {value.decode()}")
