#!/usr/bin/env python3
"""Drops a file without goromdb's help: publish.py FILE DROP, where DROP is the -file of the server."""
import hashlib
import os
import shutil
import sys


def put(path: str, write) -> None:
    """Writes under a temporary name, flushes, renames: a reader never sees a part."""
    temporary = f"{path}.tmp"
    with open(temporary, "wb") as file:
        write(file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


source, drop = sys.argv[1:]
with open(source, "rb") as new:
    md5 = hashlib.md5()
    while block := new.read(1 << 20):
        md5.update(block)
    new.seek(0)
    put(drop, lambda file: shutil.copyfileobj(new, file))
# The checksum goes last: with it the drop is complete.
put(f"{drop}.md5", lambda file: file.write(f"{md5.hexdigest()}  {os.path.basename(drop)}\n".encode()))
