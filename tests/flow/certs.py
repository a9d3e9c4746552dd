# SPDX-License-Identifier: MIT
"""certs: certificates, good and bad ones, as an authority makes them that can be told to make any mistake; CRLs and OCSP answers."""

import datetime
import ipaddress

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID

NOW = datetime.datetime.utcnow()
SERVER, CLIENT = ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH
DIGESTS = {"sha256": hashes.SHA256, "sha384": hashes.SHA384, "sha1": hashes.SHA1, "md5": hashes.MD5}
CURVES = {"p192": ec.SECP192R1, "p224": ec.SECP224R1, "p256": ec.SECP256R1, "p384": ec.SECP384R1, "p521": ec.SECP521R1}
PEM, DER = serialization.Encoding.PEM, serialization.Encoding.DER

_keys = {}


def key_of(kind, owner=""):
    """A key of a kind: "p256", "rsa2048", "ed25519" ...; the same for the same words, for keys are slow to make."""
    if (kind, owner) not in _keys:
        _keys[kind, owner] = (ed25519.Ed25519PrivateKey.generate() if kind == "ed25519" else
                              ec.generate_private_key(CURVES[kind]()) if kind in CURVES else
                              rsa.generate_private_key(65537, int(kind.removeprefix("rsa"))))
    return _keys[kind, owner]


def days(number):
    return NOW + datetime.timedelta(days=number)


def general(name):
    try:
        return x509.IPAddress(ipaddress.ip_network(name) if "/" in name else ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


class Cert:
    """One certificate and its key; `by` made it (itself by default). Authorities of one name have one key, all others share one of each kind."""

    def __init__(self, subject, by=None, names=(), key="p256", ca=False, pathlen=None, begins=-10, ends=30, digest="sha256", eku=(SERVER,), sign=None, aia=None,
                 permitted=None, excluded=None, basic=True, staple=False, organisation=None):
        self.key = key if hasattr(key, "sign") else key_of(key, subject if ca else "")
        self.by = by or self
        self.subject = x509.Name(([x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation)] if organisation else []) +
                                 ([x509.NameAttribute(NameOID.COMMON_NAME, subject)] if subject else []))
        make = (x509.CertificateBuilder().subject_name(self.subject).issuer_name(self.by.subject).public_key(self.key.public_key())
                .serial_number(x509.random_serial_number()).not_valid_before(days(begins)).not_valid_after(days(ends)))
        if basic:
            make = make.add_extension(x509.BasicConstraints(ca, pathlen), True)
        sign = ca if sign is None else sign
        make = make.add_extension(x509.KeyUsage(not sign, False, False, False, False, sign, sign, False, False), True)
        if names:
            make = make.add_extension(x509.SubjectAlternativeName([general(name) for name in names]), not subject)
        if eku and not ca:
            make = make.add_extension(x509.ExtendedKeyUsage(eku), False)
        if aia:
            make = make.add_extension(x509.AuthorityInformationAccess([
                x509.AccessDescription(AuthorityInformationAccessOID.CA_ISSUERS, x509.UniformResourceIdentifier(aia))]), False)
        if permitted or excluded:
            make = make.add_extension(x509.NameConstraints([general(n) for n in permitted] if permitted else None,
                                                           [general(n) for n in excluded] if excluded else None), True)
        if staple:
            make = make.add_extension(x509.TLSFeature([x509.TLSFeatureType.status_request]), False)
        self.cert = make.sign(self.by.key, None if isinstance(self.by.key, ed25519.Ed25519PrivateKey) else DIGESTS[digest]())

    @classmethod
    def read(cls, cert, key):
        """One out of files."""
        self = cls.__new__(cls)
        self.cert = x509.load_pem_x509_certificate(cert.read_bytes())
        self.key = serialization.load_pem_private_key(key.read_bytes(), None)
        self.subject, self.by = self.cert.subject, self
        return self

    def pem(self):
        return self.cert.public_bytes(PEM)

    def der(self):
        return self.cert.public_bytes(DER)

    def write(self, folder, name, *chain):
        """NAME.pem, with the chain as it is to be sent, and NAME.key."""
        cert, key = folder / f"{name}.pem", folder / f"{name}.key"
        cert.write_bytes(self.pem() + b"".join(one.pem() for one in chain))
        key.write_bytes(self.key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
        return cert, key

    def crl(self, *revoked):
        """A list of what this authority has revoked, PEM."""
        make = x509.CertificateRevocationListBuilder().issuer_name(self.subject).last_update(days(-1)).next_update(days(7))
        for one in revoked:
            make = make.add_revoked_certificate(x509.RevokedCertificateBuilder().serial_number(one.cert.serial_number).revocation_date(days(-2)).build())
        return make.sign(self.key, hashes.SHA256()).public_bytes(PEM)

    def staple(self, revoked=False, since=-1, until=3, forged=False, about=None):
        """Its issuer's OCSP answer about it, or `about` another, DER; forged: with a wrong signature."""
        status = ocsp.OCSPCertStatus.REVOKED if revoked else ocsp.OCSPCertStatus.GOOD
        make = ocsp.OCSPResponseBuilder().add_response((about or self).cert, self.by.cert, hashes.SHA1(), status, days(since), days(until),
                                                       days(-2) if revoked else None, None)
        der = make.responder_id(ocsp.OCSPResponderEncoding.HASH, self.by.cert).sign(self.by.key, hashes.SHA256()).public_bytes(DER)
        return der[:-1] + bytes([der[-1] ^ 1]) if forged else der
