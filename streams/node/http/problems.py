"""What goes wrong, said in one form: which field, and what would be accepted; never what was sent.

Source: RFC 9457 (problem details); FHIR R4 OperationOutcome under /fhir.
"""

import math
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from schemas.wire import encode
from streams.node.http.fhir_outcome import FHIR_JSON, Issue, operation_outcome
from streams.node.port import NotDurableError, QueueFullError

PROBLEM_JSON: Final = "application/problem+json"
_MOST_NAMED: Final = 5


class ProblemError(Exception):
    """A request that is not answered as asked.

    `field`: what is wrong (a header, a parameter, a place in the body). `accepted`: what would be taken.
    """

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        field: str | None = None,
        accepted: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.field = field
        self.accepted = accepted
        self.headers = dict(headers or {})


def problem_of(error: Exception) -> ProblemError:
    """The problem that an exception is; of an unknown one nothing is told."""
    match error:
        case ProblemError():
            return error
        case NotDurableError():
            return _not_taken(error)
        case RequestValidationError():
            return _wrong_parameter(error)
        case HTTPException():
            headers = dict(error.headers or {})
            return ProblemError(error.status_code, HTTPStatus(error.status_code).phrase, headers=headers)
    return ProblemError(500, "an error of this service; it was logged")


def _not_taken(error: NotDurableError) -> ProblemError:
    """What failed is not the sender's to know; that nothing was acknowledged is."""
    headers = {"Retry-After": str(max(1, math.ceil(error.retry_after)))}
    if isinstance(error, QueueFullError):
        return ProblemError(429, "more is waiting than is taken; send the same again later", headers=headers)
    return ProblemError(503, "it could not be stored; send the same again later", headers=headers)


def _wrong_parameter(error: RequestValidationError) -> ProblemError:
    found = [(".".join(map(str, each["loc"][1:])), str(each["msg"])) for each in error.errors()[:_MOST_NAMED]]
    return ProblemError(
        400,
        "; ".join(f"{name}: {what}" for name, what in found),
        field=", ".join(name for name, _ in found),
        accepted="/docs lists every parameter",
    )


def answer(request: Request, problem: ProblemError) -> Response:
    """The problem in the form of whom it is told to."""
    fhir = request.scope["path"].startswith("/fhir")
    content = _as_outcome(problem) if fhir else _as_problem(problem)
    kind = FHIR_JSON if fhir else PROBLEM_JSON
    return Response(encode(content), problem.status, problem.headers, media_type=kind)


def _as_problem(problem: ProblemError) -> dict[str, Any]:
    said = {
        "type": "about:blank",
        "title": HTTPStatus(problem.status).phrase,
        "status": problem.status,
        "detail": problem.detail,
        "field": problem.field,
        "accepted": problem.accepted,
    }
    return {name: value for name, value in said.items() if value is not None}


_ISSUES: Final = {401: "login", 403: "forbidden", 404: "not-found", 405: "not-supported", 408: "timeout"} | {
    412: "not-supported",
    413: "too-long",
    415: "not-supported",
    429: "throttled",
    500: "exception",
    503: "transient",
}


def _as_outcome(problem: ProblemError) -> dict[str, Any]:
    words = ". ".join(filter(None, (problem.detail, problem.accepted and f"Accepted: {problem.accepted}")))
    return operation_outcome([Issue("error", _ISSUES.get(problem.status, "invalid"), words, problem.field)])
