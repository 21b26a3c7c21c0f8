"""Who comes in, by what, and what they may do: keys, tokens, the table of roles."""

import base64
import hmac
import json
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path
from typing import Any, get_args

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey
from starlette.routing import Route

from streams.node.access import (
    LOCAL,
    NEEDS,
    ROLES,
    Access,
    NotAuthenticatedError,
    access_of,
    is_loopback,
    needed,
    refuse_to_start,
)
from streams.node.access_audit import MemoryAudit
from streams.node.access_keys import KeyRing, new_key
from streams.node.access_settings import AccessError, AccessSettings, Role
from streams.node.http import documentation, fhir, pages
from tests.node.http_clinic import HERE, MemoryNode, client, made

ISSUER, AUDIENCE = "https://sso.hospital.example", "trabecula"
SIGNING = ECKey.generate_key("P-256", {"kid": "k1"})
RSA = RSAKey.generate_key(2048, {"kid": "k2"})


# ---- keys


def ring(folder: Path, *entries: str) -> Path:
    path = folder / "keys.toml"
    path.write_text("\n".join(entries), "utf-8")
    return path


def test_a_key_opens_and_the_file_does_not_hold_it(tmp_path: Path) -> None:
    key, entry = new_key('lab "north" ü', "feed", "operator")
    known = KeyRing(ring(tmp_path, entry)).holder(key)
    assert known is not None
    assert (known.name, known.roles) == ('lab "north" ü', ("feed", "operator"))
    assert key.rsplit("_", 1)[1] not in entry


@pytest.mark.parametrize(
    "change",
    [
        lambda key: key[:-1],
        lambda key: key + "x",
        lambda key: key.replace("tbk_", "tbx_"),
        lambda key: key.upper(),
        lambda key: f"tbk_{'0' * 12}_{key.split('_', 2)[2]}",
        lambda _: "tbk_00_",
        lambda _: "",
        lambda _: "__",
        lambda _: "\ud800",
    ],
)
def test_anything_but_the_key_opens_nothing(tmp_path: Path, change: Callable[[str], str]) -> None:
    key, entry = new_key("lab", "feed")
    assert KeyRing(ring(tmp_path, entry)).holder(change(key)) is None


@pytest.mark.parametrize(("seconds", "opens"), [(1, True), (0, False), (-1, False)])
def test_a_key_ends_at_its_instant(tmp_path: Path, seconds: int, *, opens: bool) -> None:
    now = datetime(2026, 3, 1, tzinfo=UTC)
    key, entry = new_key("lab", "feed", expires=now + timedelta(seconds=seconds))
    assert (KeyRing(ring(tmp_path, entry), lambda: now).holder(key) is not None) is opens


def test_a_key_that_is_taken_out_of_the_file_opens_nothing_any_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streams.node.access_keys._LOOK_EVERY", 0.0)
    (first, one), (second, two) = new_key("lab", "feed"), new_key("ward", "clinician")
    path = ring(tmp_path, one, two)
    keys = KeyRing(path)
    assert keys.holder(first)
    assert keys.holder(second)
    ring(tmp_path, two)
    assert keys.holder(first) is None
    assert keys.holder(second)
    path.write_text("broken", "utf-8")
    assert keys.holder(second) is None
    path.unlink()
    assert keys.holder(second) is None
    ring(tmp_path, two)
    assert keys.holder(second)


@pytest.mark.parametrize(
    "content",
    [
        "nonsense",
        "[[key]]\nid='xyz'",
        "[[key]]\nid='00'\nname='a'\nroles=['king']\nsalt='00'\nhash='00'",
        "[[key]]\nid='00'\nname='a'\nroles=[]\nsalt='00'\nhash='00'\nexpires=2026-01-01T00:00:00",
        "[[key]]\nid='00'\nname='a'\nroles=[]\nsalt='00'\nhash='00'\n" * 2,
    ],
)
def test_a_file_that_holds_no_keys_is_named_and_not_quoted(tmp_path: Path, content: str) -> None:
    with pytest.raises(AccessError, match=r"keys\.toml") as caught:
        KeyRing(ring(tmp_path, content))
    assert "king" not in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(AccessError, match="expected a TOML file"):
        KeyRing(tmp_path / "keys.toml")


def test_a_wrong_key_takes_as_long_as_one_of_nobody(tmp_path: Path) -> None:
    """Both are compared: within the noise of a busy machine, which is why the bound is wide."""
    key, entry = new_key("lab", "feed")
    keys = KeyRing(ring(tmp_path, entry))
    nobody = f"tbk_{'0' * 12}_{'x' * 43}"

    def seconds(credential: str) -> float:
        began = time.perf_counter()
        for _ in range(2000):
            keys.holder(credential)
        return time.perf_counter() - began

    assert 0.2 < min(seconds(key[:-1]) for _ in range(3)) / min(seconds(nobody) for _ in range(3)) < 5


# ---- tokens


def jwks(folder: Path, *keys: Any) -> Path:
    path = folder / "jwks.json"
    path.write_text(json.dumps({"keys": [key.as_dict(private=False) for key in keys]}), "utf-8")
    return path


def tokens(folder: Path, **more: Any) -> Access:
    settings = AccessSettings(
        oidc_issuer=ISSUER, oidc_audience=AUDIENCE, oidc_keys=str(jwks(folder, SIGNING, RSA)), **more
    )
    return access_of(settings, MemoryAudit())


def token(header: Mapping[str, Any] | None = None, key: Any = SIGNING, **claims: Any) -> str:
    now = int(time.time())
    said = {"iss": ISSUER, "aud": AUDIENCE, "sub": "u1", "exp": now + 300, "roles": ["clinician"]} | claims
    said = {name: value for name, value in said.items() if value is not None}
    head = {"alg": "ES256", "kid": "k1"} | dict(header or {})
    return jwt.encode({n: v for n, v in head.items() if v}, said, key, algorithms=[head["alg"]])


async def test_a_token_tells_who_somebody_is_and_what_they_may(tmp_path: Path) -> None:
    who = await tokens(tmp_path).principal(f"Bearer {token()}")
    assert (who.subject, who.how) == ("u1", "token")
    assert who.roles == {"clinician"}
    assert who.expires_at is not None
    other = await tokens(tmp_path).principal(f"bearer {token({'alg': 'PS256', 'kid': 'k2'}, RSA)}")
    assert other.subject == "u1"


NOW = int(time.time())
LONG = 100_000_000
"""Seconds: tests that wait for others before them must not be late for a token."""
CLAIMS = {"iss": ISSUER, "aud": AUDIENCE, "sub": "u1", "exp": NOW + LONG, "roles": ["clinician"]}


def _coded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def _part(said: dict[str, Any]) -> str:
    return _coded(json.dumps(said).encode())


def _unsigned() -> str:
    return f"{_part({'alg': 'none'})}.{_part(CLAIMS)}."


FOREIGN = ECKey.generate_key("P-256", {"kid": "k1"})
SECRET = OctKey.generate_key(256)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: token(iss="https://other.example"),
        lambda: token(iss=None),
        lambda: token(aud="another service"),
        lambda: token(aud=None),
        lambda: token(exp=NOW - 120),
        lambda: token(exp=None),
        lambda: token(exp="never"),
        lambda: token(exp=10**30),
        lambda: token(nbf=NOW + LONG),
        lambda: token(iat=NOW + LONG),
        lambda: token(sub=None),
        lambda: token(sub=""),
        lambda: token(sub="x" * 257),
        lambda: token(sub=5),
        lambda: token({"kid": "k3"}),
        lambda: token({"kid": ""}),
        lambda: token({"kid": "k2"}),
        lambda: token(key=FOREIGN),
        lambda: token({"alg": "HS256"}, SECRET),
        lambda: token()[:-4],
        lambda: "e30.e30.",
        _unsigned,
        lambda: "a.b.c",
        lambda: "x" * 20_000,
    ],
)
async def test_a_token_with_anything_wrong_opens_nothing(tmp_path: Path, wrong: Callable[[], str]) -> None:
    with pytest.raises(NotAuthenticatedError):
        await tokens(tmp_path).principal(f"Bearer {wrong()}")


async def test_a_public_key_is_no_shared_secret(tmp_path: Path) -> None:
    """RFC 8725, 2.1: the algorithm is ours to say, not the token's."""
    signed = f"{_part({'alg': 'HS256', 'kid': 'k2'})}.{_part(CLAIMS)}".encode()
    made_by_anybody = hmac.new(RSA.as_pem(private=False), signed, "sha256").digest()
    with pytest.raises(NotAuthenticatedError):
        await tokens(tmp_path).principal(f"Bearer {signed.decode()}.{_coded(made_by_anybody)}")


@pytest.mark.parametrize(("seconds", "opens"), [(-30, True), (-90, False)])
async def test_two_clocks_may_differ_by_a_minute(tmp_path: Path, seconds: int, *, opens: bool) -> None:
    credential = f"Bearer {token(exp=int(time.time()) + seconds)}"
    if opens:
        assert (await tokens(tmp_path).principal(credential)).subject == "u1"
    else:
        with pytest.raises(NotAuthenticatedError):
            await tokens(tmp_path).principal(credential)


@pytest.mark.parametrize(
    ("settings", "claims", "roles"),
    [
        ({}, {"roles": ["feed", "king", 5]}, {"feed"}),
        ({}, {"roles": "auditor"}, {"auditor"}),
        ({}, {"roles": None}, set()),
        ({}, {"roles": {"clinician": True}}, set()),
        ({"oidc_roles": "realm.roles"}, {"realm": {"roles": ["operator"]}}, {"operator"}),
        ({"oidc_role_names": {"KBA": "clinician"}}, {"roles": ["KBA", "feed"]}, {"clinician"}),
    ],
)
async def test_roles_are_read_as_the_site_says(
    tmp_path: Path, settings: dict[str, Any], claims: dict[str, Any], roles: set[str]
) -> None:
    assert (await tokens(tmp_path, **settings).principal(f"Bearer {token(**claims)}")).roles == roles


async def test_a_new_key_of_the_issuer_is_read_when_a_token_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streams.node.access_tokens._NOT_BEFORE", 0.0)
    access = tokens(tmp_path)
    newer = ECKey.generate_key("P-256", {"kid": "k9"})
    with pytest.raises(NotAuthenticatedError):
        await access.principal(f"Bearer {token({'kid': 'k9'}, newer)}")
    jwks(tmp_path, newer)
    assert (await access.principal(f"Bearer {token({'kid': 'k9'}, newer)}")).subject == "u1"
    (tmp_path / "jwks.json").unlink()
    assert (await access.principal(f"Bearer {token({'kid': 'k9'}, newer)}")).subject == "u1"


@pytest.mark.parametrize(
    "given",
    [
        {"oidc_issuer": ISSUER},
        {"oidc_issuer": ISSUER, "oidc_audience": AUDIENCE},
        {"oidc_algorithms": ["HS256"]},
        {"oidc_algorithms": ["none"]},
        {"oidc_algorithms": []},
        {"oidc_leeway": 3600},
    ],
)
def test_settings_that_would_let_anybody_in_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"expected|together|less"):
        AccessSettings(**given)


async def test_the_environment_sets_access(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRABECULA_OIDC_ISSUER", ISSUER)
    monkeypatch.setenv("TRABECULA_OIDC_AUDIENCE", AUDIENCE)
    monkeypatch.setenv("TRABECULA_OIDC_KEYS", str(jwks(tmp_path, SIGNING)))
    monkeypatch.setenv("TRABECULA_OIDC_ROLE_NAMES", '{"KBA": "clinician"}')
    access = access_of(AccessSettings(keys=None), MemoryAudit())
    assert (await access.principal(f"Bearer {token(roles=['KBA'])}")).roles == {"clinician"}


def test_keys_that_come_over_an_open_line_are_refused() -> None:
    settings = AccessSettings(oidc_issuer=ISSUER, oidc_audience=AUDIENCE, oidc_keys="http://sso.hospital.example/jwks")
    with pytest.raises(AccessError, match="https"):
        access_of(settings, MemoryAudit())


# ---- where nobody is asked


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "[::1]", "localhost", "::ffff:127.0.0.1"])
def test_this_machine_is_let_in_without_authentication(host: str) -> None:
    assert is_loopback(host)
    refuse_to_start(host, Access(None, None, MemoryAudit()))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "192.168.1.7", "hospital.example", "localhost.example"])  # noqa: S104 that is the point
def test_the_node_does_not_start_off_loopback_without_authentication(host: str, tmp_path: Path) -> None:
    with pytest.raises(AccessError, match="TRABECULA_KEYS"):
        refuse_to_start(host, Access(None, None, MemoryAudit()))
    refuse_to_start(host, access_of(AccessSettings(keys=ring(tmp_path)), MemoryAudit()))


async def test_without_settings_everybody_at_the_machine_is_one() -> None:
    assert await Access(None, None, MemoryAudit()).principal(None) == LOCAL


@pytest.mark.parametrize("said", [None, "", "Bearer", "Bearer ", "Digest x", "Basic !!", "Basic YTpi"])
async def test_whoever_says_nothing_that_is_known_does_not_come_in(said: str | None, tmp_path: Path) -> None:
    with pytest.raises(NotAuthenticatedError):
        await access_of(AccessSettings(keys=ring(tmp_path)), MemoryAudit()).principal(said)


async def test_a_browser_sends_a_key_as_a_password(tmp_path: Path) -> None:
    key, entry = new_key("ward", "clinician")
    access = access_of(AccessSettings(keys=ring(tmp_path, entry)), MemoryAudit())
    said = base64.b64encode(f"anybody:{key}".encode()).decode()
    assert (await access.principal(f"Basic {said}")).subject == "ward"


# ---- the table


def routes() -> set[tuple[str, str]]:
    """Every route, those of pages too."""
    shown = {(m.upper(), path) for path, methods in made()[0].openapi()["paths"].items() for m in methods}
    found = [route for router in (documentation.router, fhir.router, pages.router) for route in router.routes]
    methods = {(m, r.path) for r in found if isinstance(r, Route) for m in r.methods or ()}
    return shown | {(m, path.replace(":path}", "}")) for m, path in methods if m != "HEAD"}


def test_every_route_has_its_line_in_the_table_and_every_line_its_route() -> None:
    assert routes() == NEEDS.keys()
    assert needed("GET", "/another") == frozenset()
    assert needed("HEAD", "/v1/alerts") == needed("GET", "/v1/alerts")


MATRIX = sorted(product(NEEDS, [*get_args(Role), "nobody"]), key=str)


@pytest.mark.parametrize(("route", "role"), MATRIX)
async def test_a_role_opens_what_the_table_says_and_nothing_else(
    route: tuple[str, str], role: str, tmp_path: Path
) -> None:
    """Each route by each role, and by nobody: 401 without a key, 403 with one of another role."""
    method, path = route
    roles: tuple[Role, ...] = () if role == "nobody" else (role,)  # type: ignore[assignment]
    key, entry = new_key("somebody", *roles)
    access = access_of(AccessSettings(keys=ring(tmp_path, entry)), MemoryAudit())
    application, _, audit = made(MemoryNode(), access, most_streams=0)
    headers = {"origin": HERE} | ({} if role == "nobody" else {"authorization": f"Bearer {key}"})
    address = path.replace("{type}", "Patient").replace("{alert_id}", "a1").replace("{patient_id}", "p1")
    address = address.replace("{source}", "lab").replace("{letter_id}", "1").replace("{receiver}", "pager")
    async with client(application, headers=headers) as asking:
        answer = await asking.request(method, address.replace("{name}", "style.css"))
    needs = NEEDS[route]
    if needs is None or role in needs:
        assert answer.status_code not in {401, 403}
    else:
        assert answer.status_code == (401 if role == "nobody" else 403)
        assert ("www-authenticate" in answer.headers) == (role == "nobody")
        assert [e.action for e in audit.entries] == ([] if role == "nobody" else ["refused"])


def test_every_role_opens_something() -> None:
    assert {role for needs in NEEDS.values() for role in needs or ()} == ROLES
