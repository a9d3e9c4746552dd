# SPDX-License-Identifier: MIT
"""HTTP/2 from end to end by a client and a server of another make (python3-h2): trailers as gRPC has them, streams that talk both ways, resets, many at once."""

import pytest

import inspection
import origin as origins
import wire
import world as w

h2_connection = pytest.importorskip("h2.connection")
h2_config = pytest.importorskip("h2.config")
h2_events = pytest.importorskip("h2.events")


class Peer:
    """One end of a connection of HTTP/2 over a Wire."""

    def __init__(self, wire_, client):
        self.wire = wire_
        self.h2 = h2_connection.H2Connection(h2_config.H2Configuration(client_side=client, header_encoding="utf-8"))
        self.h2.initiate_connection()
        self.send()

    def send(self):
        self.wire.send(self.h2.data_to_send())

    def events(self):
        """What came; [] at the end of the connection."""
        if not self.wire.more():
            return []
        data, self.wire.kept = self.wire.kept, b""
        found = self.h2.receive_data(data)
        for event in found:
            if isinstance(event, h2_events.DataReceived) and event.flow_controlled_length:
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        self.send()
        return found


class Rpc(origins.Https):
    """Sends each message of a stream back at once, and says how it went in the trailer, as gRPC does; /refuse in the head alone. A message "reset" is
    answered by a reset."""

    def __init__(self, world):
        self.heads, self.trailers, self.ended = [], [], []
        self.over = set()  # streams that were answered before they ended
        super().__init__(world.cert, world.key, w.ORIGIN, 443, alpn=("h2",))

    def converse(self, wire_):
        with self.context.wrap_socket(wire_.sock, server_side=True) as wire_.sock:
            with self.lock:
                self.open.add(wire_.sock)
            peer = Peer(wire_, False)
            while events := peer.events():
                for event in events:
                    self.answer_to(peer.h2, event)
                peer.send()
            self.over.clear()
            with self.lock:
                self.open.discard(wire_.sock)

    def answer_to(self, h2, event):
        if isinstance(event, h2_events.RequestReceived):
            head = dict(event.headers)
            self.heads.append(head)
            if head[":path"] == "/refuse":
                self.over.add(event.stream_id)
            fields = [(":status", "200"), ("content-type", "application/grpc")]
            if head[":path"] == "/refuse":
                h2.send_headers(event.stream_id, [*fields, ("grpc-status", "12")], end_stream=True)
            else:
                h2.send_headers(event.stream_id, fields)
        elif isinstance(event, h2_events.DataReceived) and event.data == b"reset":
            h2.reset_stream(event.stream_id, 8)
        elif isinstance(event, h2_events.DataReceived) and event.stream_id not in self.over and event.data:
            h2.send_data(event.stream_id, event.data)
        elif isinstance(event, h2_events.TrailersReceived):
            self.trailers.append(dict(event.headers))
        elif isinstance(event, h2_events.StreamReset):
            self.ended.append(event.error_code)
        if isinstance(event, h2_events.StreamEnded) and event.stream_id not in self.over:
            h2.send_headers(event.stream_id, [("grpc-status", "0"), ("grpc-message", "fine")], end_stream=True)


class Call:
    """What came for one stream."""

    def __init__(self):
        self.head, self.data, self.trailer, self.ended, self.reset = None, b"", None, False, None


class Client(Peer):
    def __init__(self, wire_):
        super().__init__(wire_, True)
        self.calls = {}

    def call(self, path, message=None, end=True, trailer=None):
        stream = self.h2.get_next_available_stream_id()
        self.calls[stream] = Call()
        self.h2.send_headers(stream, [(":method", "POST"), (":scheme", "https"), (":authority", "origin.example.net"), (":path", path),
                                      ("content-type", "application/grpc"), ("te", "trailers")])
        if message:
            self.h2.send_data(stream, message, end_stream=end and not trailer)
        if trailer:
            self.h2.send_headers(stream, trailer, end_stream=True)
        self.send()
        return stream

    def until(self, fits):
        while not fits():
            events = self.events()
            assert events, "closed"
            for event in events:
                call = self.calls.get(getattr(event, "stream_id", None))
                if isinstance(event, h2_events.ResponseReceived):
                    call.head = dict(event.headers)
                elif isinstance(event, h2_events.DataReceived):
                    call.data += event.data
                elif isinstance(event, h2_events.TrailersReceived):
                    call.trailer = dict(event.headers)
                elif isinstance(event, h2_events.StreamEnded):
                    call.ended = True
                elif isinstance(event, h2_events.StreamReset):
                    call.reset = event.error_code
        return self


@pytest.fixture(scope="module")
def here(gateway_kept, world, folder_kept, serve_kept):
    one = inspection.Inspecting(gateway_kept, world, folder_kept)
    one.server = serve_kept(lambda: Rpc(world))
    return one


@pytest.fixture
def client(here):
    with here.inside("origin.example.net:443", alpn=("h2",)) as t:
        assert t.sock.selected_alpn_protocol() == "h2"
        yield Client(t)


def test_a_call_with_trailers_both_ways(here, client):
    stream = client.call("/echo", b"\0\0\0\0\5hello", trailer=[("x-sum", "5")])
    call = client.calls[stream]
    client.until(lambda: call.ended)
    assert call.head[":status"] == "200" and call.head["content-type"] == "application/grpc"
    assert call.data == b"\0\0\0\0\5hello" and call.trailer["grpc-status"] == "0" and call.trailer["grpc-message"] == "fine"
    assert here.server.heads[-1]["te"] == "trailers" and here.server.trailers[-1]["x-sum"] == "5"
    line = here.gw.record(url="https://origin.example.net/echo")
    assert (line["status"], line["fault"], line["content_type"]) == (200, None, "application/grpc"), line


def test_a_call_that_is_refused_by_a_head_alone(client):
    call = client.calls[client.call("/refuse", b"x")]
    client.until(lambda: call.ended)
    assert call.head["grpc-status"] == "12" and call.data == b""


def test_messages_pass_at_once_in_both_directions(client):
    """Each waits for the answer to the one before."""
    stream = client.call("/talk")
    call = client.calls[stream]
    for number in range(20):
        client.h2.send_data(stream, b"%02d" % number, end_stream=number == 19)
        client.send()
        client.until(lambda: len(call.data) == 2 * (number + 1))
    client.until(lambda: call.ended)
    assert call.data == b"".join(b"%02d" % number for number in range(20)) and call.trailer["grpc-status"] == "0"


def test_a_hundred_streams_at_once(here, client):
    client.until(lambda: client.h2.remote_settings.max_concurrent_streams >= 50)
    streams = [client.call(f"/many{number}", b"x" * 100) for number in range(50)]
    client.until(lambda: all(client.calls[stream].ended for stream in streams))
    assert all(client.calls[stream].data == b"x" * 100 for stream in streams)
    assert len({here.gw.record(url=f"https://origin.example.net/many{number}")["session"] for number in (0, 49)}) == 1


def test_resets_reach_the_other_side(here, client):
    stream = client.call("/reset", b"half", end=False)
    call = client.calls[stream]
    client.until(lambda: call.data == b"half")
    client.h2.send_data(stream, b"reset")
    client.send()
    client.until(lambda: call.reset is not None)
    assert not call.ended
    stream = client.call("/talk", b"half", end=False)
    client.until(lambda: client.calls[stream].data == b"half")
    before = len(here.server.ended)
    client.h2.reset_stream(stream, 8)
    client.send()
    wire.wait_until(lambda: len(here.server.ended) > before, "the reset at the origin")
    assert here.server.ended[-1] == 8
    after = client.calls[client.call("/echo", b"still here")]
    client.until(lambda: after.ended)
    assert after.data == b"still here", "the connection goes on"
