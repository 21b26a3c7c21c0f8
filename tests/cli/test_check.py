"""`serve --check`: a line for each thing, what to do where it is not well, and nothing is changed."""

import socket
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from streams.node.access_keys import new_key
from streams.node.schema import VERSION
from streams.node.store import Store, opened
from streams.node.store_folder import FILE
from tests.cli.running import Ran, trabecula
from tests.node.test_mllp_tls import Authority, needs_openssl
from tests.node.test_serve import node

THINGS = [
    "settings",
    "environment",
    "rule pack",
    "access",
    "receivers",
    "HTTP",
    "MLLP",
    "folder",
    "disk",
    "store",
]
FREE = ("--http", "127.0.0.1:0", "--mllp", "127.0.0.1:0")


def checked(data: Path, *more: object, **settings: Any) -> Ran:
    """A check on free ports, unless others are named."""
    return trabecula("serve", "--check", "--data", data, *FREE, *more, **settings)


def said(ran: Ran) -> dict[str, tuple[str, str]]:
    """How each thing is, and the words; nothing else was printed."""
    assert ran.err == ""
    found = {}
    for line in ran.out.splitlines():
        state, _, rest = line.partition(" ")
        thing, _, words = rest.strip().partition(": ")
        found[thing] = state, words
    assert {state for state, _ in found.values()} <= {"ok", "failed"}
    return found


def test_all_is_well_and_nothing_was_made(tmp_path: Path) -> None:
    ran = checked(tmp_path / "data")
    found = said(ran)
    assert ran.status == 0
    assert list(found) == THINGS
    assert {state for state, _ in found.values()} == {"ok"}
    assert "syncs a second" in found["disk"][1]
    assert list(tmp_path.iterdir()) == []


def test_of_a_store_its_soundness_and_version_are_told_and_no_file_is_touched(tmp_path: Path) -> None:
    data = tmp_path / "data"
    Store(data).close()
    before = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in data.iterdir()}
    found = said(checked(data))
    assert found["store"][0] == "ok"
    assert found["store"][1].startswith("sound, ")
    assert found["store"][1].endswith(f"version {VERSION} of {VERSION}")
    assert {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in data.iterdir()} == before


def test_a_store_that_every_user_could_read_is_not_well_and_of_such_a_folder_it_is_told(tmp_path: Path) -> None:
    Store(tmp_path).close()
    tmp_path.chmod(0o755)
    (tmp_path / FILE).chmod(0o644)
    ran = checked(tmp_path)
    found = said(ran)
    assert ran.status != 0
    assert found["store"] == (
        "failed",
        f"{tmp_path / FILE} can be read by every user of this machine; chmod 600 {tmp_path / FILE}*",
    )
    assert found["folder"][1].endswith(f"others can look into it: chmod 700 {tmp_path}")


def test_charts_that_another_rule_pack_decided_are_counted(tmp_path: Path) -> None:
    site = tmp_path / "site.toml"
    site.write_text('version = "x"\n[rules.HEP-01.limits.exposed_days]\nvalue = 14\nreason = "ours"\n')
    data = tmp_path / "data"
    store = Store(data)
    with store.transaction():
        store.rows.db.execute("INSERT INTO chart (patient_id, decided_by, page) VALUES ('P', 'another', x'')")
    store.close()
    assert "1 charts are examined anew" in said(checked(data, "--rules", site))["store"][1]


@pytest.mark.parametrize(
    ("more", "settings", "thing", "says"),
    [
        (("--http", "0.0.0.0:0"), {}, "access", "TRABECULA_KEYS"),
        (("--mllp", "0.0.0.0:0"), {}, "MLLP", "--mllp-authority"),
        (("--http", "everywhere"), {}, "HTTP", "HOST:PORT"),
        (("--keys", "absent.toml"), {}, "access", "absent.toml"),
        (("--receivers", "absent.toml"), {}, "receivers", "absent.toml"),
        (("--rules", "absent.toml"), {}, "rule pack", "absent.toml"),
        (("--tables", "absent.toml"), {}, "rule pack", "absent.toml"),
        (("--log-level", "loud"), {}, "settings", "log_level"),
        (("--config", "absent.toml"), {}, "settings", "absent.toml"),
        ((), {"keep_raw": "3"}, "environment", "TRABECULA_KEEP_RAW"),
        (("--mllp-certificate", "c.pem", "--mllp-key", "k.pem"), {}, "MLLP", "No such file"),
    ],
)
def test_what_is_not_well_says_what_would_be_accepted_and_the_rest_is_looked_at(
    tmp_path: Path, more: tuple[str, ...], settings: dict[str, Any], thing: str, says: str
) -> None:
    ran = checked(tmp_path / "data", *more, **settings)
    found = said(ran)
    assert ran.status == 1
    assert found[thing][0] == "failed"
    assert says in found[thing][1]
    failed = {name for name, (state, _) in found.items() if state == "failed"}
    assert thing in failed
    assert thing == "settings" or list(found) == THINGS
    assert list(tmp_path.iterdir()) == []


def test_a_key_file_without_a_good_key_lets_nobody_in(tmp_path: Path) -> None:
    keys = tmp_path / "keys.toml"
    _, entry = new_key("x", "feed", expires=datetime(2020, 1, 1, tzinfo=UTC))
    keys.write_text(entry)
    assert said(checked(tmp_path / "data", "--keys", keys))["access"][0] == "failed"
    trabecula("keys", "new", "--name", "y", "--role", "feed", "--append", keys)
    assert said(checked(tmp_path / "data", "--keys", keys))["access"] == ("ok", f"2 keys (1 ended) in {keys}")


def test_a_port_that_is_taken_and_a_folder_in_use_are_told(tmp_path: Path) -> None:
    with node(tmp_path / "data") as made:
        ran = checked(tmp_path / "data", "--http", made.addresses["http"])
        found = said(ran)
        assert ran.status == 1
        assert "in use" in found["HTTP"][1]
        assert f"process {made.process.pid}" in found["folder"][1]
        assert found["store"][0] == "ok"
        assert made.get("/readyz")["state"] == "ready"


def test_a_store_that_is_damaged_or_newer_is_told(tmp_path: Path) -> None:
    data = tmp_path / "data"
    Store(data).close()
    db = opened(data / FILE)
    db.pragma("user_version", VERSION + 1)
    db.close()
    assert f"this service knows {VERSION}" in said(checked(data))["store"][1]
    (data / FILE).write_bytes(b"not a database at all, but long enough to be one" * 100)
    found = said(checked(data))["store"]
    assert found[0] == "failed"
    assert "restore a backup" in found[1]


def test_a_folder_that_is_none_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    found = said(checked(tmp_path / "file"))["folder"]
    assert found[0] == "failed"


@needs_openssl
def test_certificates_are_read_and_their_end_is_told(tmp_path: Path) -> None:
    ours = Authority(tmp_path, "ours").make().issue("server", "node.north.example")
    pair = (ours.path("server.pem"), ours.path("server.key"))
    http = ("--http-certificate", pair[0], "--http-key", pair[1])
    mllp = ("--mllp-certificate", pair[0], "--mllp-key", pair[1])
    clients = ("--mllp-authority", ours.path("ca.pem"), "--mllp-client", "lab", "--mllp-client", "adt")
    ran = checked(tmp_path / "data", *http, *mllp, *clients)
    found = said(ran)
    assert ran.status == 0
    assert "TLS, good until 20" in found["HTTP"][1]
    assert "2 clients" in found["MLLP"][1]
    wrong = checked(tmp_path / "data", "--http-certificate", pair[0], "--http-key", ours.path("ca.key"))
    assert "expected PEM files of a certificate and of its key" in said(wrong)["HTTP"][1]


def test_a_port_that_another_program_has_is_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        found = said(checked(tmp_path / "data", "--mllp", address))["MLLP"]
    assert found[0] == "failed"
    assert address in found[1]
