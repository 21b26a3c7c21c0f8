"""`POST /hl7v2`: an HL7 v2 message, answered by its acknowledgement.

Source: HL7 over HTTP (HAPI): the message as it is, `application/hl7-v2`.
"""

import secrets
from typing import Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from streams.intake.hl7v2 import split_hl7v2
from streams.node.acknowledgement import Verdict, acknowledgement, read_header, verdict_of, verdict_of_failure
from streams.node.http.bodies import body_of, content_type
from streams.node.http.documented import SENT, body, problems
from streams.node.http.node import AtNode, Node, feed_of
from streams.node.http.problems import ProblemError, problem_of
from streams.node.port import Incoming, NotDurableError

router = APIRouter(tags=["in"])

HL7V2: Final = "application/hl7-v2"
ACCEPTED: Final = frozenset(
    {HL7V2, "x-application/hl7-v2+er7", "application/hl7-v2+er7", "text/plain", "application/octet-stream"}
)
_CONTROL_ID_BYTES: Final = 10


@router.post(
    "/hl7v2",
    responses={
        200: {"description": "The acknowledgement", "content": {HL7V2: {"schema": {"type": "string"}}}},
        **problems(*SENT),
    },
    openapi_extra=body(HL7V2, "text/plain"),
    response_class=Response,
)
async def take_message(request: Request, node: AtNode) -> Response:
    """Take a message, or several of a batch; 200 once each is decided on, AA or AR, and durable.

    A failure of ours is AE under 429 or 503, so that whoever reads only one of the two sends again.
    """
    content_type(request, ACCEPTED)
    content = await body_of(request, node.settings, node.settings.largest_body)
    messages = list(split_hl7v2(content))
    if not messages or len(messages) > node.settings.most_items:
        raise ProblemError(
            400, "the body is no HL7 v2 message", field="body", accepted="a message that begins with MSH"
        )
    feed = feed_of(request)
    answers: list[bytes] = []
    for each in messages:
        try:
            outcome = await node.receive(Incoming("http", "hl7v2", each, node.clock.now(), feed))
        except NotDurableError as error:
            failed = problem_of(error)
            answers.append(_acknowledged(node, each, verdict_of_failure(error)))
            return Response(b"".join(answers), failed.status, failed.headers, media_type=HL7V2)
        answers.append(_acknowledged(node, each, verdict_of(outcome)))
    return Response(b"".join(answers), media_type=HL7V2)


def _acknowledged(node: Node, message: bytes, verdict: Verdict) -> bytes:
    """Over HTTP somebody always waits for an answer, whatever MSH-15 and MSH-16 ask for."""
    control_id = secrets.token_hex(_CONTROL_ID_BYTES)
    return acknowledgement(read_header(message), verdict, "application", now=node.clock.now(), control_id=control_id)
