"""What the Python programs share: sums of values, and the list of refused writes."""

import hashlib
import json

VALUES = ["plain", "empty", "large", "unicode", "binary", "none"]
MANY = [f"k{at}" for at in range(100)]
# What a client may be tempted to write; longer than any buffer that it arrives in.
LONG = "x" * 300_000


def md5(value):
    if value is None:
        return None
    if isinstance(value, str):
        value = value.encode()
    return hashlib.md5(value).hexdigest()


class Results:
    def __init__(self, get):
        self.found = {"values": {}, "many": {}, "writes": []}
        self._get = get
        for key in VALUES:
            self.found["values"][key] = attempt(lambda: md5(get(key)))

    def many(self, hits):
        self.found["many"] = {key: md5(value) for key, value in hits.items()}

    def write(self, name, call):
        """Tries a write, then reads on the same client."""
        answer = attempt(call)
        after = attempt(lambda: md5(self._get("plain")))
        self.found["writes"].append({"name": name, "answer": answer, "after": after})

    def add(self, **extras):
        self.found.update(extras)

    def print(self):
        print(json.dumps(self.found, default=bytes.decode))


def attempt(call):
    try:
        return call()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
