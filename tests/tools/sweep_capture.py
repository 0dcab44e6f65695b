#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Writes the capture of the golden cases whatif-traffic*: a minute of made up traffic.

    tests/tools/sweep_capture.py FILE

150 short connections to port 443, 60 to port 6379, 90 datagrams nobody answers, and 20 connections to port 22
that are silent for 25 seconds and then go on.
"""
import socket
import struct
import sys

SYN, FIN, ACK = 2, 1, 16
SERVER = "192.0.2.10"


def checksum(data):
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def ip(src, dst, proto, payload):
    head = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 0, 0, 64, proto, 0,
                       socket.inet_aton(src), socket.inet_aton(dst))
    return head[:10] + struct.pack(">H", checksum(head)) + head[12:] + payload


def pseudo(src, dst, proto, payload):
    return (socket.inet_aton(src) + socket.inet_aton(dst) + struct.pack(">HH", proto, len(payload)) +
            payload + b"\0" * (len(payload) % 2))


def tcp(src, sport, dst, dport, flags, seq, ack):
    head = struct.pack(">HHIIBBHHH", sport, dport, seq, ack, 0x50, flags, 65535, 0, 0)
    sum_ = checksum(pseudo(src, dst, 6, head))
    return ip(src, dst, 6, head[:16] + struct.pack(">H", sum_) + head[18:])


def udp(src, sport, dst, dport):
    head = struct.pack(">HHHH", sport, dport, 8, 0)
    return ip(src, dst, 17, head[:6] + struct.pack(">H", checksum(pseudo(src, dst, 17, head))))


def talk(out, at, client, port, dport, silence):
    """A connection from its SYN to its last ACK, with a silence in the middle."""
    def send(after, is_client, flags, seq, ack):
        a, b = ((client, port), (SERVER, dport)) if is_client else ((SERVER, dport), (client, port))
        out.append((at + after, tcp(*a, *b, flags, seq, ack)))
    send(0, True, SYN, 100, 0)
    send(0.01, False, SYN | ACK, 500, 101)
    send(0.02, True, ACK, 101, 501)
    if silence:
        send(silence, True, ACK, 101, 501)
        send(silence + 0.01, False, ACK, 501, 101)
    send(silence + 0.5, True, FIN | ACK, 101, 501)
    send(silence + 0.51, False, FIN | ACK, 501, 102)
    send(silence + 0.52, True, ACK, 102, 502)


def traffic():
    out = []
    for i in range(150):
        talk(out, i * 0.4, f"198.51.100.{i % 50 + 1}", 10000 + i, 443, 0)
    for i in range(60):
        talk(out, i * 1.0 + 0.1, "198.51.100.77", 20000 + i, 6379, 0)
    for i in range(20):
        talk(out, i * 1.0 + 0.2, "203.0.113.5", 30000 + i, 22, 25)
    for i in range(90):
        out.append((i * 0.6 + 0.3, udp("203.0.113.9", 40000 + i, SERVER, 9)))
    return sorted(out, key=lambda packet: packet[0])


def main(path):
    with open(path, "wb") as f:
        f.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 101))  # raw IP
        for at, data in traffic():
            us = round(at * 1e6)
            f.write(struct.pack("<IIII", 1700000000 + us // 10**6, us % 10**6, len(data), len(data)))
            f.write(data)


main(sys.argv[1])
