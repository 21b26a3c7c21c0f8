"""The application: routes, pages, and the guard around them."""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from http import HTTPStatus
from importlib.metadata import PackageNotFoundError, version
from types import ModuleType
from typing import Any, Final

from fastapi import Depends, FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route

from streams.intake.site import Site
from streams.monitor import Monitor
from streams.node.access import Access
from streams.node.clock import Clock, SystemClock
from streams.node.http import (
    alerts,
    cds_hooks,
    detected_issue,
    documentation,
    events,
    fhir,
    hl7v2,
    messages,
    notices,
    operations,
    pages,
    patients,
    probes,
)
from streams.node.http.admission import admit
from streams.node.http.guard import STREAMS, Guard
from streams.node.http.metrics import Metrics
from streams.node.http.node import Node
from streams.node.http.problems import ProblemError, answer, problem_of
from streams.node.http.reads import Reads, Sample
from streams.node.http.settings import HttpSettings
from streams.node.http.shapes import Problem
from streams.node.operations import Operations
from streams.node.port import NotDurableError, Receiver

ROUTERS: Final[tuple[ModuleType, ...]] = (
    events,
    detected_issue,
    cds_hooks,
    fhir,
    hl7v2,
    alerts,
    notices,
    patients,
    messages,
    operations,
    probes,
    documentation,
    pages,
)
"""What a node answers. A process that does less takes some of these."""
_ABOUT: Final = (
    "Streaming monitor for pregnancy- and lactation-associated and heparin-induced osteoporosis. "
    "It says that a published or chosen limit was crossed and asks for a review; it makes no diagnosis."
)


def app(
    receiver: Receiver,
    reads: Reads,
    settings: HttpSettings,
    access: Access,
    *,
    monitor: Monitor,
    clock: Clock | None = None,
    metrics: Metrics | None = None,
    routers: Sequence[ModuleType] = ROUTERS,
    operated: Operations | None = None,
    site: Site | None = None,
) -> FastAPI:
    """The application of one node; `app.state.node.doorbell` is rung when there are new notices."""
    counted = metrics or Metrics()
    node = Node(
        receiver,
        reads,
        settings,
        access,
        monitor=monitor,
        clock=clock or SystemClock(),
        metrics=counted,
        operations=operated,
        site=site,
    )
    counted.asks(_samples(reads))

    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        yield
        node.close()

    made = FastAPI(
        title="Trabecula",
        version=_version(),
        description=_ABOUT,
        docs_url=None,  # its page loads scripts from elsewhere, which a hospital's network does not reach
        redoc_url=None,
        openapi_url=None,
        lifespan=life,
        dependencies=[Depends(admit)],
        redirect_slashes=False,
    )
    made.state.node = node
    made.state.routes = [each for module in routers for each in module.router.routes if isinstance(each, Route)]
    made.add_middleware(Guard, node=node)
    for each in (ProblemError, NotDurableError, RequestValidationError, HTTPException):
        made.add_exception_handler(each, _told)
    for module in routers:
        made.include_router(module.router)
    _document(made)
    return made


def _samples(reads: Reads) -> Any:
    def asked() -> Iterable[Sample]:
        return reads.samples()

    return asked


async def _told(request: Request, error: Exception) -> Response:
    problem = problem_of(error)
    if problem.status == HTTPStatus.METHOD_NOT_ALLOWED:
        problem.headers["Allow"] = ", ".join(sorted(_methods(request)))
    if pages.is_page(request):
        return pages.problem_page(request, problem)
    return answer(request, problem)


def _methods(request: Request) -> set[str]:
    """Of every route that is written as the first one of an address is: what /openapi.json has at this path."""
    routes = [each for each in request.app.state.routes if each.matches(request.scope)[0] is not Match.NONE]
    found = {name for each in routes if each.path == routes[0].path for name in each.methods or ()}
    return found | {"HEAD"} if "GET" in found and request.url.path != STREAMS else found


def _document(made: FastAPI) -> None:
    """OpenAPI with our own form of a problem; the usual one would promise answers that are never given."""
    usual = made.openapi

    def ours() -> dict[str, Any]:
        if made.openapi_schema is None:
            document = usual()
            schemas = document.setdefault("components", {}).setdefault("schemas", {})
            for name in ("HTTPValidationError", "ValidationError"):
                schemas.pop(name, None)
            schemas["Problem"] = Problem.model_json_schema()
            for route in document["paths"].values():
                for operation in route.values():
                    _usual_refusal_taken_out(operation)
        return made.openapi_schema or {}

    made.openapi = ours  # type: ignore[method-assign]


def _usual_refusal_taken_out(operation: dict[str, Any]) -> None:
    content = operation["responses"].get("422", {}).get("content", {})
    if "HTTPValidationError" in str(content):
        del operation["responses"]["422"]


def _version() -> str:
    try:
        return version("trabecula")
    except PackageNotFoundError:
        return "0"
