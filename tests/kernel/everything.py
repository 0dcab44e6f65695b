# SPDX-License-Identifier: BSD-2-Clause
"""A table with everything in it, for tests that read it by several ways."""
import contextlib
import struct

import kernel as k

TCP_STATES = ("SYN_SENT SYN_RECV ESTABLISHED FIN_WAIT CLOSE_WAIT LAST_ACK TIME_WAIT CLOSE "
              "LISTEN").split()
# HEARTBEAT_SENT makes conntrack 1.4.7 crash on creation.
SCTP_STATES = ("CLOSED COOKIE_WAIT COOKIE_ECHOED ESTABLISHED SHUTDOWN_SENT SHUTDOWN_RECD "
               "SHUTDOWN_ACK_SENT").split()
V4 = "-s 10.0.1.2 -d 10.0.2.2"
V6 = "-s fd00:1::2 -d fd00:2::2"


def created():
    """Options of conntrack -I for one entry of every kind that can be made so."""
    port = iter(range(1000, 9000))
    for state in TCP_STATES:
        yield f"{V4} -p tcp --sport {next(port)} --dport 80 --state {state} -t 9000"
        yield f"{V6} -p tcp --sport {next(port)} --dport 80 --state {state} -t 9000"
    for state in SCTP_STATES:
        yield (f"{V4} -p sctp --sport {next(port)} --dport 9 --state {state} -t 9000"
               " --orig-vtag 7 --reply-vtag 4294967295")
    for status in ("ASSURED", "SEEN_REPLY", "ASSURED,SEEN_REPLY", "SEEN_REPLY,FIXED_TIMEOUT"):
        yield f"{V4} -p udp --sport {next(port)} --dport 53 -u {status} -t 500"
        yield f"{V6} -p udp --sport {next(port)} --dport 53 -u {status} -t 500"
    yield f"{V4} -p udplite --sport 1 --dport 2 -t 500"
    yield f"{V6} -p udplite --sport 1 --dport 2 -t 500"
    yield f"{V4} -p icmp --icmp-type 8 --icmp-code 0 --icmp-id 77 -t 500"
    yield f"{V4} -p icmp --icmp-type 13 --icmp-code 0 --icmp-id 0 -t 500"
    yield f"{V6} -p icmpv6 --icmpv6-type 128 --icmpv6-code 0 --icmpv6-id 55 -t 500"
    yield f"{V4} -p gre --srckey 0 --dstkey 0x4321 -t 500"
    yield f"{V4} -p 253 -t 500"
    yield f"{V6} -p 50 -t 500"
    for zone in ("--zone 5", "--zone 65535", "--orig-zone 6", "--reply-zone 7"):
        yield f"{V4} -p udp --sport {next(port)} --dport 5 {zone} -t 500"
        yield f"{V6} -p udp --sport {next(port)} --dport 5 {zone} -t 500"
    for mark in ("1", "0xffffffff"):
        yield f"{V4} -p udp --sport {next(port)} --dport 6 -m {mark} -t 500"
    yield f"{V4} -p tcp --sport {next(port)} --dport 80 --state ESTABLISHED -t 9000 -n 192.0.2.1"
    yield f"{V4} -p tcp --sport {next(port)} --dport 80 --state ESTABLISHED -t 9000 -g 192.0.2.9:8080"
    yield f"{V6} -p udp --sport {next(port)} --dport 80 -t 9000 -n [fd00:3::9]:1234"
    yield f"{V4} -p udp --sport {next(port)} --dport 7 -t 4294967295"


def packets():
    """IPv4 packets to loopback that begin a connection of each tracked protocol, and others."""
    def ip(proto, payload):
        head = k.tcp_packet("127.0.0.1", "127.0.0.1", 0, 0, 0)[:20]
        return (head[:2] + struct.pack("!H", 20 + len(payload)) + head[4:9] + bytes([proto]) +
                head[10:] + payload)

    def icmp(kind, number):
        body = struct.pack("!BBHHH", kind, 0, 0, number, 1)
        return body[:2] + struct.pack("!H", k.checksum(body)) + body[4:]

    init = struct.pack("!BBHIIHHI", 1, 0, 20, 99, 65535, 1, 1, 1)
    yield ip(1, icmp(8, 4242))
    yield ip(17, struct.pack("!HHHH", 5000, 53, 9, 0) + b"x")
    yield ip(6, k.tcp_packet("127.0.0.1", "127.0.0.1", 5001, 443, 2)[20:])
    yield ip(132, struct.pack("!HHII", 5002, 9, 0, 0) + init)
    yield ip(136, struct.pack("!HHHH", 5003, 9, 8, 0))
    yield ip(47, struct.pack("!HH", 0, 0x800) + b"inner")
    yield ip(33, struct.pack("!HHBBHI", 5004, 9, 4, 0, 0, 1 << 24 | 4) + b"\0" * 8)
    yield ip(253, b"experiment")


@contextlib.contextmanager
def table():
    """A namespace whose table holds everything: made by ctnetlink, and by real packets with
    counters, timestamps, labels and a helper."""
    with k.Netns("tables") as ns:
        ns.track()
        ns.nft('table ip x { ct helper f { type "ftp" protocol tcp; }'
               " chain o { type filter hook output priority 0; ct label set 5;"
               ' tcp dport 2121 ct helper set "f"; } }')
        wanted = 0
        for options in created():
            done = ns.run("conntrack", "-I", *options.split(), check=False)
            assert done.returncode == 0, f"conntrack -I {options}: {done.stderr}"
            wanted += 1
        ns.sysctl("acct", 1)
        ns.sysctl("timestamp", 1)
        ns.call(k.send_raw, list(packets()))
        with k.Server(ns, 2121), k.Server(ns, 8080):
            ns.call(k.churn, "127.0.0.1", 2121, 2)
            ns.call(k.churn, "127.0.0.1", 8080, 2)
        # The SYN that nobody listens for is answered by a reset and leaves no entry.
        assert ns.count() >= wanted + 10, (ns.count(), wanted)
        yield ns
