"""Prints what is sent to the datagram socket NOTIFY_SOCKET of systemd, a line for each message."""
import os
import socket
import sys

listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
listener.bind(sys.argv[1])
print("listens", flush=True)
while True:
    data, fds, _, _ = socket.recv_fds(listener, 4096, 8)
    # systemd-notify waits until systemd has closed what it sends behind its message.
    for fd in fds:
        os.close(fd)
    if data != b"BARRIER=1":
        print(data.decode().replace("\n", " "), flush=True)
