"""Every route is opened here: who asks, and whether they may."""

from starlette.requests import Request

from streams.node.access import LOCAL, NotAuthenticatedError, needed
from streams.node.http.node import AtNode, route_of
from streams.node.http.problems import ProblemError

_PAGES = frozenset({"/", "/alerts/{alert_id}", "/patients", "/patients/{patient_id}"})


async def admit(request: Request, node: AtNode) -> None:
    """Let somebody in by the table of access.

    Errors: ProblemError 401, 403.
    """
    route = route_of(request)
    if needed(request.method, route) is None:
        request.state.principal = LOCAL
        return
    try:
        who = await node.access.principal(request.headers.get("authorization"))
    except NotAuthenticatedError as error:
        # A browser asks for a key only where pages are; a program that meets Basic would ask a person for a password.
        scheme = "Basic" if route in _PAGES else "Bearer"
        headers = {"WWW-Authenticate": f'{scheme} realm="Trabecula", charset="UTF-8"'}
        raise ProblemError(401, str(error), field="Authorization", headers=headers) from None
    request.state.principal = who
    if not who.may(request.method, route):
        await node.note(request, "refused")
        raise ProblemError(403, "none of your roles may do this", accepted=_roles(request.method, route))


def _roles(method: str, route: str) -> str:
    return " or ".join(sorted(needed(method, route) or ())) or "nobody"
