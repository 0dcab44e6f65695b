#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A small web application that keeps its sessions and counters in redis, and does it wrong.

It opens a connection to redis for every command and closes it again: no pool, no reuse. Each
request leaves COMMANDS entries in TIME_WAIT behind, for two minutes, in the connection table of
the server. This is the fault the lab is about; everything else here is as usual.
"""
import socket
import socketserver
import sys

REDIS = ("127.0.0.1", 6379)
COMMANDS = ("GET session:42", "INCR visits", "GET page:front", "SET seen:42 1")


def redis(command):
    with socket.create_connection(REDIS, timeout=2) as s:
        s.sendall(command.encode() + b"\r\n")
        return s.recv(512)


class Request(socketserver.StreamRequestHandler):
    timeout = 5

    def handle(self):
        while self.rfile.readline(4096) not in (b"\r\n", b"\n", b""):
            pass
        try:
            visits = [redis(c) for c in COMMANDS][1]
            self.answer("200 OK", b"visits " + visits[1:])
        except OSError as e:
            self.answer("503 Service Unavailable", f"redis: {e.strerror or e}\n".encode())

    def answer(self, status, body):
        head = f"HTTP/1.0 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        try:
            self.wfile.write(head.encode() + body)
        except OSError:
            pass  # the other side gave up waiting


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 512


if __name__ == "__main__":
    Server(("127.0.0.1", int(sys.argv[1])), Request).serve_forever()
