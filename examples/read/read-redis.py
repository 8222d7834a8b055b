#!/usr/bin/env python3
"""Reads by redis-py: read-redis.py PORT KEY..."""
import sys

import redis

client = redis.Redis(port=int(sys.argv[1]), decode_responses=True)
keys = sys.argv[2:]
for key, value in zip(keys, client.mget(keys)):
    if value is not None:
        print(f"{key}: {value}")
