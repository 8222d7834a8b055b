"""Creates keys that can be set only once, and reads them: by the client that is named."""

import json
import sys

port, name = int(sys.argv[1]), sys.argv[2]
server = f"127.0.0.1:{port}"


def text(value):
    return value.decode() if isinstance(value, bytes) else value


def tried(call):
    try:
        return call()
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def of_memcached(client, get_many):
    return {
        "add": bool(client.add("a", "x")),
        "add again": bool(client.add("a", "x")),
        "set equal": bool(client.set("a", "x")),
        "set other": bool(client.set("a", "y")),
        "set new": bool(client.set("b", "z")),
        "get": text(client.get("a")),
        "get none": client.get("none"),
        "get many": {key: text(value) for key, value in get_many(["a", "none", "b"]).items()},
        "read": text(client.get("a")),
    }


def of_redis(client):
    return {
        "add": bool(client.set("a", "x", nx=True)),
        "add again": bool(client.set("a", "x", nx=True)),
        "set equal": bool(client.set("a", "x")),
        "set other": tried(lambda: client.set("a", "y")),
        "set new": bool(client.setnx("b", "z")),
        "get": text(client.get("a")),
        "get none": client.get("none"),
        "get many": [text(value) for value in client.mget("a", "none", "b")],
        "read": [client.exists("a", "none"), client.strlen("a")],
    }


def results():
    if name == "pymemcache":
        from pymemcache.client.base import Client

        client = Client(("127.0.0.1", port), timeout=5, default_noreply=False)
        return of_memcached(client, client.get_many)
    if name.startswith("pylibmc"):
        import pylibmc

        client = pylibmc.Client([server], binary=name == "pylibmc binary")
        return of_memcached(client, client.get_multi)
    if name == "python-memcache":
        import memcache

        client = memcache.Client([server], debug=1, socket_timeout=5)
        return of_memcached(client, client.get_multi)
    import redis

    return of_redis(redis.Redis(port=port, socket_timeout=5))


print(json.dumps(results()))
