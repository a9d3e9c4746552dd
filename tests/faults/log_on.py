# SPDX-License-Identifier: MIT
"""log_on: what a client of the fault runs says to log on, and the files that it is checked against. Python's own library only."""

import base64
import hmac
import os
import struct

HASH = {"secret": "878d8014606cda29677a44efa1353fc7", "changed": "afffcb77fa25a550358ddee73223a99a"}  # NT hashes
CRYPT = {"secret": "$5$saltsalt$0IyaXrmV7.sGNS6tirgqHLqX/G.FBvgkYA.lpPdS5sA", "changed": "$5$saltsalt$nDcOptXnLng7/dEMQbAjdf7brDaVSksD15F/BNsD4Y0"}
WRONG = "5f4dcc3b5aa765d61d8327deb882cf99"
SIGNATURE = b"NTLMSSP\0"
NTLM_OID = bytes.fromhex("2b06010401823702020a")
SPNEGO_OID = bytes.fromhex("2b0601050502")
FLAGS = 0xA2888205  # Unicode, NTLM, always sign, extended session security, target info, version, 128, 56


def basic(user, password):
    return field("Basic", f"{user}:{password}".encode())


def field(scheme, token):
    return f"Proxy-Authorization: {scheme} {base64.b64encode(token).decode()}\r\n"


def token(answer, scheme):
    """What the challenge of that scheme carries, or b""."""
    for value in answer.all("proxy-authenticate"):
        if value.startswith(scheme + " "):
            return base64.b64decode(value.split()[1])
    return b""


# --- NTLM ---


def ntlm_first():
    return SIGNATURE + struct.pack("<II", 1, FLAGS) + bytes(16) + bytes.fromhex("0a0063450000000f")


def hmac_md5(key, data):
    return hmac.new(key, data, "md5").digest()


def ntlm_third(first, second, user, hash_hex):
    """NTLMv2 with a MIC, as Windows does it; `second` may have more behind it."""
    challenge, (n, _, at) = second[24:32], struct.unpack_from("<HHI", second, 40)
    info = second[at:at + n]
    stamp, place = bytes(8), 0
    while struct.unpack_from("<H", info, place)[0]:
        kind, length = struct.unpack_from("<HH", info, place)
        stamp = info[place + 4:place + 12] if kind == 7 else stamp
        place += 4 + length
    info = info[:place] + struct.pack("<HHI", 6, 4, 2) + bytes(4)  # MsvAvFlags: there is a MIC
    blob = b"\1\1" + bytes(6) + stamp + os.urandom(8) + bytes(4) + info + bytes(4)
    key = hmac_md5(bytes.fromhex(hash_hex), user.upper().encode("utf-16le"))
    proof = hmac_md5(key, challenge + blob)
    parts = (bytes(24), proof + blob, b"", user.encode("utf-16le"), "W".encode("utf-16le"), b"")
    at, fields = 88, b""
    for part in parts:
        fields += struct.pack("<HHI", len(part), len(part), at)
        at += len(part)
    head, rest = SIGNATURE + struct.pack("<I", 3) + fields + struct.pack("<I", FLAGS) + bytes.fromhex("0a0063450000000f"), b"".join(parts)
    end = second[:max(at2 + n2 for n2, _, at2 in (struct.unpack_from("<HHI", second, place) for place in (12, 40)))]
    mic = hmac_md5(hmac_md5(key, proof), first + end + head + bytes(16) + rest)
    return head + mic + rest


# --- SPNEGO around it ---


def der(tag, *parts):
    body = b"".join(parts)
    n = len(body)
    return bytes([tag]) + (bytes([n]) if n < 128 else bytes([0x82, n >> 8, n & 255])) + body


def wrapped_first(message):
    init = der(0x30, der(0xA0, der(0x30, der(6, NTLM_OID))), der(0xA2, der(4, message)))
    return der(0x60, der(6, SPNEGO_OID), der(0xA0, init))


def wrapped_third(message):
    return der(0xA1, der(0x30, der(0xA2, der(4, message))))


def unwrapped(message):
    return message[message.index(SIGNATURE):]


# --- files ---


def put(path, text):
    """As `postern passwd` does it: another file of that name, for its owner alone."""
    new = path.with_suffix(".new")
    new.write_bytes(text if isinstance(text, bytes) else text.encode())
    new.chmod(0o600)
    new.rename(path)


def put_users(folder, password):
    put(folder / "users.basic", f"alice:{CRYPT[password]}\nbob:{CRYPT['secret']}\n# others\n")
    put(folder / "users.ntlm", f"alice:{HASH[password]}\nbob:{HASH['secret']}\n")


def put_keytab(path, realm="R.X", components=("HTTP", "p.x"), version=1, kind=18):
    """One key of HTTP/p.x@R.X, which opens no ticket."""
    text = lambda s: struct.pack(">H", len(s)) + s.encode()  # noqa: E731
    entry = struct.pack(">H", len(components)) + text(realm) + b"".join(map(text, components)) + struct.pack(">IIBHH", 1, 0, version, kind, 32) + bytes(range(32))
    put(path, b"\5\2" + struct.pack(">i", len(entry)) + entry)
