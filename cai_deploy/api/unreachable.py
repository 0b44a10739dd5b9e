"""The error for a workspace that does not answer.

It must not know what was asked. Only the cause is told: the library's own text may hold a proxy's password.
"""

from __future__ import annotations

import ssl

import requests

from cai_deploy.errors import PlaceUnreachable

_TRUST = "set REQUESTS_CA_BUNDLE to a file with the certificate authority of the workspace"
_CLOCK = "check this machine's clock; if it is right, have the administrator renew the certificate"

_CERTIFICATE = {
    9: ("its certificate is not valid yet", _CLOCK),
    10: ("its certificate has expired", _CLOCK),
    18: ("its certificate is signed by itself, and not trusted", _TRUST),
    62: ("its certificate is for another name", "set CML_HOST to the name that the workspace's certificate has"),
    64: ("its certificate is for another address", "set CML_HOST to the name that the workspace's certificate has"),
}
"""What OpenSSL's numbers say (X509_V_ERR_*), and the way out; of all others the authority is not known here."""


def unreachable(host: str, error: requests.RequestException, timeout: float) -> PlaceUnreachable:
    """The error for ``host`` not answering."""
    advice = "check CML_HOST, the network and the proxy settings"
    if isinstance(error, requests.exceptions.SSLError):
        why, advice = _of_tls(error)
    elif isinstance(error, requests.Timeout):
        why = f"no answer within {timeout:g} seconds"
    elif isinstance(error, requests.exceptions.ProxyError):
        why = "the proxy does not let us through"
    else:
        why = _cause(error) or "the connection broke"
    told = PlaceUnreachable(f"{host} cannot be reached", why=why, next_step=advice)
    told.retry_helps = isinstance(error, (requests.ConnectionError, requests.Timeout)) and not isinstance(
        error, requests.exceptions.SSLError
    )
    return told


def _of_tls(error: BaseException) -> tuple[str, str]:
    """Why there is no TLS with it, and what to do."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return _CERTIFICATE.get(cause.verify_code, ("its certificate is not trusted", _TRUST))
        if isinstance(cause, ssl.SSLError) and cause.reason == "WRONG_VERSION_NUMBER":
            return "it does not speak TLS", "set CML_HOST to http://... if it is meant to be without"
        if isinstance(cause, ssl.SSLError) and cause.reason == "NO_CERTIFICATE_OR_CRL_FOUND":
            return "the CA bundle holds no certificate", _TRUST
        cause = cause.__cause__ or cause.__context__
    return "its certificate is not trusted", _TRUST


def _cause(error: BaseException | None) -> str:
    """What the operating system said beneath the library's wrappings."""
    while error is not None:
        if isinstance(error, OSError) and error.strerror:
            return error.strerror
        error = error.__cause__ or error.__context__
    return ""
