"""Why a connection could not be made, in words a person can act on."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from urllib.parse import urlsplit

from dragoman.errors import ProviderUnreachableError
from dragoman.models.providers.endpoint import Endpoint
from dragoman.models.providers.failures import Asker

_START = {
    "ollama": "Start it with 'ollama serve', or check base_url.",
    "llamacpp": "Start it with 'llama-server -m MODEL.gguf', or check base_url.",
    "localai": "Start it, or check base_url.",
    "openai": "Start the server, or check base_url.",
}


def explain_connect_failure(asker: Asker, endpoint: Endpoint, error: BaseException) -> ProviderUnreachableError:
    """Turn the failure to connect into an error that says which of the usual reasons it was."""
    # Its library is there by now: this is about a connection that it could not make.
    from dragoman.models.providers.transport import proxy_of

    causes = list(_causes(error))
    proxy = proxy_of(endpoint)
    if proxy is not None and any(isinstance(cause, ConnectionRefusedError | socket.gaierror) for cause in causes):
        # Behind a proxy only the proxy itself is connected to: whatever fails there is its.
        where = proxy.rpartition("@")[2].rpartition("://")[2]
        message = f"{asker.place} cannot be reached: its proxy {urlsplit(proxy).scheme}://{where} does not answer."
        return ProviderUnreachableError(message, hint="Check proxy of this provider, or the proxy in the environment.")
    if type(error).__name__ == "ProxyError":
        reason, hint = "the proxy refused to connect to it", "Check proxy of this provider and the proxy's own key."
    elif any(isinstance(cause, socket.gaierror) for cause in causes):
        reason, hint = "its host name is not known", "Check base_url and the network."
    elif any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes):
        reason = "its certificate is not trusted"
        hint = "If it is signed by an authority of your own, set ca_file of this provider."
    elif any(isinstance(cause, ssl.SSLError) for cause in causes):
        reason, hint = "TLS failed", "If the server speaks plain HTTP, let base_url begin with http://."
    elif any(isinstance(cause, ConnectionRefusedError) for cause in causes):
        reason, hint = "nothing listens there", _START[endpoint.kind]
    else:
        reason, hint = asker.clean(str(error)) or "no connection", _START[endpoint.kind]
    return ProviderUnreachableError(f"{asker.place} cannot be reached: {reason}.", hint=hint)


def _causes(error: BaseException | None, depth: int = 0) -> Iterator[BaseException]:
    if error is None or depth > 8:
        return
    yield error
    if isinstance(error, BaseExceptionGroup):
        for one in error.exceptions:
            yield from _causes(one, depth + 1)
    yield from _causes(error.__cause__, depth + 1)
    if error.__context__ is not error.__cause__:
        yield from _causes(error.__context__, depth + 1)
