"""Whether the process lives, whether it takes messages, and what it counts."""

from fastapi import APIRouter
from starlette.responses import Response

from streams.node.http.documented import problems
from streams.node.http.metrics import TEXT
from streams.node.http.node import AtNode
from streams.node.http.shapes import Health, wire

router = APIRouter(tags=["operation"])


@router.get("/healthz", response_model=Health)
async def is_alive() -> Response:
    """The process answers."""
    return wire(Health(state="alive"))


@router.get("/readyz", response_model=Health, responses={503: {"model": Health, "description": "Not ready"}})
async def is_ready(node: AtNode) -> Response:
    """Whether messages are taken, and if not, why."""
    ready = await node.ask(lambda reads: reads.readiness())
    return wire(Health(state=ready.state, reason=ready.reason), 200 if ready.state == "ready" else 503)


@router.get(
    "/metrics",
    responses={
        200: {"description": "Prometheus text", "content": {"text/plain": {"schema": {"type": "string"}}}},
        **problems(401, 403, 503),
    },
    response_class=Response,
)
async def metrics(node: AtNode) -> Response:
    """What is counted, for Prometheus."""
    return Response(await node.scrape(), media_type=TEXT)
