"""What a failed call says: would another try help, would another endpoint, is this endpoint ill."""

from __future__ import annotations

from dataclasses import dataclass

from dragoman import errors
from dragoman.errors import EveryEndpointFailedError, ModelError


@dataclass(frozen=True, slots=True)
class Fault:
    """The nature of an error.

    ``transient``: the same call at the same endpoint may succeed a little later.
    ``elsewhere``: the same call may succeed at another endpoint.
    ``ill``: it speaks against the endpoint's health; what is the request's fault, the user's or a full queue's does not.
    """

    transient: bool
    elsewhere: bool
    ill: bool


_ILL = Fault(transient=True, elsewhere=True, ill=True)
_BUSY = Fault(transient=True, elsewhere=True, ill=False)
_UNABLE = Fault(transient=False, elsewhere=True, ill=False)
_UNABLE_AND_ILL = Fault(transient=False, elsewhere=True, ill=True)
_WRONG = Fault(transient=False, elsewhere=False, ill=False)

FAULTS: dict[type[ModelError], Fault] = {
    errors.ModelError: _WRONG,
    errors.ModelNotFoundError: _UNABLE,
    errors.NoModelError: _WRONG,
    errors.ProviderUnreachableError: _ILL,
    errors.CircuitOpenError: _BUSY,
    errors.AuthenticationError: _UNABLE,
    errors.RateLimitedError: _ILL,
    errors.EndpointBusyError: _BUSY,
    errors.RequestRejectedError: _WRONG,
    errors.ToolsUnsupportedError: _WRONG,
    errors.ContextOverflowError: _WRONG,
    errors.ProviderFailedError: _ILL,
    errors.ModelTimeoutError: _ILL,
    errors.StreamBrokenError: _ILL,
    errors.StreamMalformedError: _ILL,
    errors.StructuredOutputError: _WRONG,
    errors.ToolCallError: _WRONG,
    errors.EngineUnavailableError: _UNABLE_AND_ILL,
    errors.OutOfMemoryError: _UNABLE_AND_ILL,
    errors.WeightsError: _UNABLE,
    errors.DiskFullError: _UNABLE,
}
"""The nature of each class of `ModelError`; one that is not here has that of its nearest ancestor."""


def find_fault(error: BaseException) -> Fault:
    """Return the nature of an error; what is no `ModelError` (a cancel, a bug) is nobody's to mend."""
    if isinstance(error, EveryEndpointFailedError):
        natures = [find_fault(one) for one in error.errors]
        return Fault(any(one.transient for one in natures), any(one.elsewhere for one in natures), ill=False)
    return next((FAULTS[kind] for kind in type(error).__mro__ if kind in FAULTS), _WRONG)


def is_transient(error: BaseException) -> bool:
    """Tell whether the same call may succeed a little later."""
    return find_fault(error).transient


def wait_asked(error: BaseException) -> float | None:
    """Return how many seconds the error says to wait before the next try, None when it does not say."""
    if isinstance(error, EveryEndpointFailedError):
        # The first endpoint that is ready again is enough, and one that names no time may be ready now.
        waits = [wait_asked(one) for one in error.errors if is_transient(one)]
        known = [wait for wait in waits if wait is not None]
        return min(known) if known and len(known) == len(waits) else None
    wait = getattr(error, "retry_after", None)
    return float(wait) if isinstance(wait, int | float) else None
