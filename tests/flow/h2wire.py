# SPDX-License-Identifier: MIT
"""h2wire: HTTP/2 frame by frame, for peers that do what no library would do. Fields are sent as literals without Huffman coding (RFC 7541 6.2.2)."""

import struct

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, ACK, END_HEADERS = 1, 1, 4
NO_ERROR, PROTOCOL_ERROR, ENHANCE_YOUR_CALM = 0, 1, 11


def frame(kind, flags=0, stream=0, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes((kind, flags)) + struct.pack(">I", stream) + payload


def integer(value, bits):
    most = (1 << bits) - 1
    if value < most:
        return bytes((value,))
    out, value = [most], value - most
    while value >= 128:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes((*out, value))


def block(fields):
    raw = [part.encode("latin-1") if isinstance(part, str) else part for field in fields for part in field]
    return b"".join(b"\0" + integer(len(name), 7) + name + integer(len(value), 7) + value for name, value in zip(raw[::2], raw[1::2]))


def request(authority, method="GET", path="/", scheme="https", more=()):
    return [(":method", method), (":scheme", scheme), (":authority", authority), (":path", path), *more]


def head(stream, fields, flags=END_HEADERS | END_STREAM):
    return frame(HEADERS, flags, stream, block(fields))


def begin(wire, settings=b""):
    return wire.send(PREFACE + frame(SETTINGS, 0, 0, settings))


def read(wire):
    """(kind, flags, stream, payload) of the next frame; None at the end."""
    try:
        while len(wire.kept) < 9 or len(wire.kept) < 9 + int.from_bytes(wire.kept[:3], "big"):
            if not wire.more():
                return None
    except OSError:
        return None
    n = int.from_bytes(wire.kept[:3], "big")
    raw, wire.kept = wire.kept[:9 + n], wire.kept[9 + n:]
    return raw[3], raw[4], int.from_bytes(raw[5:9], "big") & 0x7fffffff, raw[9:]


def until(wire, kind, stream=None, quiet=False):
    """The payload of the next frame of that kind; None: the connection ended before. Unless `quiet`, SETTINGS and PING are answered meanwhile."""
    while (got := read(wire)) is not None:
        if got[0] == kind and stream in (None, got[2]):
            return got[3]
        if got[0] in (SETTINGS, PING) and not got[1] & ACK and not quiet:
            wire.send(frame(got[0], ACK, 0, b"" if got[0] == SETTINGS else got[3]))
    return None


def goaway(wire, quiet=False):
    """The code of the GOAWAY that comes; None: the connection ended without one."""
    payload = until(wire, GOAWAY, quiet=quiet)
    return None if payload is None else int.from_bytes(payload[4:8], "big")
