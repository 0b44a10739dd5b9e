"""Making an authority, and the certificates that it signs, as texts. Pure but for the clock and for chance.

The one module that needs more than the standard library for that, so it is imported only where there is TLS. It does
not know where the texts are kept.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

AUTHORITY_LIVES = timedelta(days=20 * 365)
NODE_LIVES = timedelta(days=5 * 365)
"""Ray reads its certificate at its start, and a node may run for years. It is made anew at each start of the node."""

SLOW_CLOCKS = timedelta(days=1)
"""So far a clock may be behind that of the head or of the node which made a certificate."""


def new_authority(cluster: str) -> tuple[str, str]:
    """The key and the certificate of an authority for one cluster."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Ray cluster {cluster}")])
    now = datetime.now(timezone.utc)
    certificate = (
        _certificate(name, name, key.public_key(), key.public_key(), now, now + AUTHORITY_LIVES)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .sign(key, hashes.SHA256())
    )
    return _key_text(key), _text(certificate)


def signed_certificate(authority_key: str, authority: str, node: str, hosts: Sequence[str]) -> tuple[str, str]:
    """A key and its certificate for one node, with which it serves at ``hosts`` and calls others.

    Raises ValueError for texts that are no authority.
    """
    signer = serialization.load_pem_private_key(authority_key.encode(), password=None)
    above = x509.load_pem_x509_certificate(authority.encode())
    if not isinstance(signer, ec.EllipticCurvePrivateKey) or signer.public_key() != above.public_key():
        raise ValueError("key and certificate of the authority do not belong together")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, node[:64])])
    now = datetime.now(timezone.utc)
    end = min(now + NODE_LIVES, above.not_valid_after_utc)
    both_ways = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    certificate = (
        _certificate(name, above.subject, key.public_key(), signer.public_key(), now, end)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage(both_ways), critical=False)
        .add_extension(x509.SubjectAlternativeName([_host(host) for host in dict.fromkeys(hosts)]), critical=False)
        .sign(signer, hashes.SHA256())
    )
    return _key_text(key), _text(certificate)


def _certificate(
    name: x509.Name,
    above: x509.Name,
    key: ec.EllipticCurvePublicKey,
    signer: ec.EllipticCurvePublicKey,
    now: datetime,
    end: datetime,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(above)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - SLOW_CLOCKS)
        .not_valid_after(end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer), critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _key_text(key: ec.EllipticCurvePrivateKey) -> str:
    plain = serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain).decode()


def _text(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()
