#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""An origin that answers at once, for tests that send very many requests: quick_origin.py CERT KEY ADDRESS... Says "ready" when it serves.

Ports 80 and 8080: each head that comes is answered with a short text, pipelined or not. Ports 443 and 8443: the same over TLS; who begins a handshake and goes away is let go."""

import asyncio
import contextlib
import ssl
import sys

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok"
NO_BODY = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\n"


class Quick(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport, self.kept = transport, b""

    def data_received(self, data):
        *heads, self.kept = (self.kept + data).split(b"\r\n\r\n")
        self.transport.write(b"".join(NO_BODY if head.startswith(b"HEAD") else ANSWER for head in heads))


async def main():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*sys.argv[1:3])
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _loop, _what: None)
    for port, tls in ((80, None), (8080, None), (443, context), (8443, context)):
        await loop.create_server(Quick, sys.argv[3:], port, ssl=tls, backlog=1024)
    print("ready", flush=True)
    await loop.run_in_executor(None, sys.stdin.read)  # until whoever started it lets go


with contextlib.suppress(KeyboardInterrupt):
    asyncio.run(main())
