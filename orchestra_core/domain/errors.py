"""Everything that can go wrong, as one tree; each error knows its HTTP status and its stable code.

OrchestraError
├── Unauthorized 401          no key, or none that is known: one answer for every reason
├── Forbidden 403             a key without the scope, a foreign Host or Origin
├── InvalidRequest 400        the client's input, naming the field
│   ├── UnknownModel 404
│   ├── NotFound 404 · MethodNotAllowed 405 · UnsupportedMedia 415
│   └── ContextTooLong 400
├── OverBudget 402 or 429     a budget leaves too little; 429 where that ends soon
├── TooManyRequests 429       over a limit, ours or a backend's; says when to come back
├── Unavailable 503           nothing can serve this now; says what to do
├── UpstreamFailed 502        every endpoint tried failed
│   └── UpstreamTimeout 504
├── Cancelled 499             an operator ended it; the client is still there to be told
├── NotCached 504             the client wants a stored answer or none, and there is none
└── OperationFailed 409       a load or unload that cannot be done
"""

from collections.abc import Iterable


class OrchestraError(Exception):
    """An error that has an answer for the client. `param` names the offending field where there is one.

    `should_retry` tells client libraries whether to try again by themselves; None leaves it to them.
    """

    status = 500
    type = "internal_error"
    code = "internal_error"

    def __init__(
        self,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        retry_after: float | None = None,
        should_retry: bool | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.code = code or type(self).code
        self.retry_after = retry_after
        self.should_retry = should_retry


class Unauthorized(OrchestraError):
    """The type and the code are OpenAI's, whose client raises AuthenticationError for the status."""

    status = 401
    type = "authentication_error"
    code = "invalid_api_key"


class Forbidden(OrchestraError):
    status = 403
    type = "permission_error"
    code = "forbidden"


class InvalidRequest(OrchestraError):
    status = 400
    type = "invalid_request_error"
    code = "invalid_request"


class UnknownModel(InvalidRequest):
    status = 404
    code = "model_not_found"


class NotFound(InvalidRequest):
    status = 404
    code = "not_found"


class MethodNotAllowed(InvalidRequest):
    """`allow` are the methods that are answered, for the header RFC 9110 section 15.5.6 asks for."""

    status = 405
    code = "method_not_allowed"

    def __init__(self, message: str, allow: Iterable[str]) -> None:
        super().__init__(message)
        self.allow = tuple(allow)


class UnsupportedMedia(InvalidRequest):
    status = 415
    code = "unsupported_media_type"


class ContextTooLong(InvalidRequest):
    code = "context_length_exceeded"


class TooManyRequests(OrchestraError):
    status = 429
    type = "rate_limit_error"
    code = "rate_limited"


class OverBudget(OrchestraError):
    """The words are OpenAI's. `retry_after` None: the budget does not start anew soon enough to wait for it."""

    status = 402
    type = "insufficient_quota"
    code = "insufficient_quota"
    # Client libraries give up waiting for more than this by themselves, and would ask again at once.
    _PATIENCE = 60.0

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        again = retry_after is not None and retry_after <= self._PATIENCE
        super().__init__(message, retry_after=retry_after, should_retry=None if again else False)
        if retry_after is not None:
            self.status = 429


class Unavailable(OrchestraError):
    status = 503
    type = "unavailable_error"
    code = "no_endpoint_available"


class UpstreamFailed(OrchestraError):
    status = 502
    type = "upstream_error"
    code = "upstream_failed"


class UpstreamTimeout(UpstreamFailed):
    status = 504
    code = "upstream_timeout"


class NotCached(OrchestraError):
    """The status is that of RFC 9111 section 5.2.1.7."""

    status = 504
    type = "not_cached"
    code = "not_cached"


class Cancelled(OrchestraError):
    """Nobody else gives 499 a meaning, so client libraries take it as final, as they should."""

    status = 499
    type = "cancelled_error"
    code = "cancelled"


class OperationFailed(OrchestraError):
    status = 409
    type = "operation_error"
    code = "operation_failed"


class InvalidConfig(InvalidRequest):
    """A new configuration was read and refused; the old one stays in effect."""

    status = 422
    code = "invalid_config"


class ConfigError(OrchestraError):
    """A configuration that cannot be used; the message carries file and line where known."""

    status = 500
    code = "config_error"
