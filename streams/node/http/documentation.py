"""`/openapi.json`, and `/docs`: the same as a page that needs nothing from elsewhere."""

from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from schemas.wire import encode
from streams.node.http.words import TEMPLATES

router = APIRouter(include_in_schema=False)


@router.get("/openapi.json")
async def openapi(request: Request) -> Response:
    """The OpenAPI document."""
    return Response(encode(request.app.openapi()), media_type="application/json")


@router.get("/docs")
async def docs(request: Request) -> Response:
    """The OpenAPI document as people read it."""
    document: dict[str, Any] = request.app.openapi()
    content = TEMPLATES.get_template("docs.html").render(document=document, request=request)
    return Response(content, media_type="text/html")
