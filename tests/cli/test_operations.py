"""The operators' commands against a node at work, and on the folder of one that is stopped."""

import json
import os
import re
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from streams.node.store import opened
from streams.node.store_folder import FILE
from tests.cli.running import Ran, trabecula
from tests.node.test_mllp_tls import Authority, needs_openssl
from tests.node.test_serve import Node, course, node

BAD = b'{"kind": "horoscope", "event_id": "x", "source": "ward"}'
NOT_UTF8 = b'{"kind": "horoscope", "source": "ward \xff"}'


def told(content: bytes, **more: Any) -> bytes:
    """An event with more said of it."""
    return json.dumps(json.loads(content) | more).encode()


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("operated") / "data"


@pytest.fixture(scope="module")
def running(data: Path) -> Iterator[Node]:
    """A node whose pharmacy loads old data, and that refused three messages."""
    with node(data) as made:
        made.post("/v1/events", told(course(), history=True))
        made.post("/v1/events", BAD, "application/json")
        made.post("/v1/events", NOT_UTF8)
        made.mllp(b"MSH|^~\\&|LAB|HOSP|T|H|20250101|||M-2|P|2.5.1\r")
        yield made


def at(made: Node, *arguments: object, **settings: Any) -> Ran:
    """A command to a running node."""
    return trabecula(*arguments, "--http", made.addresses["http"], **settings)


# ---- dead letters


def test_dead_letters_of_a_running_node_are_listed_and_shown_as_they_came(running: Node) -> None:
    ran = at(running, "dead-letters", "list")
    assert [(each["letter_id"], each["channel"]) for each in ran.lines] == [(1, "events"), (2, "events"), (3, "mllp")]
    assert [each["letter_id"] for each in at(running, "dead-letters", "list", "--source", "LAB|HOSP").lines] == [3]
    assert [each["letter_id"] for each in at(running, "dead-letters", "list", "--reason", "Unknown Kind").lines] == [1]
    assert len(at(running, "dead-letters", "list", "--limit", "2").lines) == 2
    table = at(running, "dead-letters", "list", "--table").out.splitlines()
    assert table[0].split() == ["letter_id", "times", "last_at", "channel", "source", "refused", "reason"]
    assert len(table) == 4
    shown = at(running, "dead-letters", "show", "1")
    assert shown.out.encode() == BAD
    assert "unknown kind" in shown.err
    raw = subprocess.run(
        [sys.executable, "-m", "streams.cli", "dead-letters", "show", "2", "--http", running.addresses["http"]],
        capture_output=True,
        check=True,
        timeout=60,
    )
    assert raw.stdout == NOT_UTF8


def test_a_redrive_says_what_became_of_it_and_changes_nothing_twice(running: Node) -> None:
    for _ in range(2):
        ran = at(running, "dead-letters", "redrive", "1")
        assert ran.status == 1
        assert [(each["letter_id"], each["outcome"]) for each in ran.lines] == [(1, "refused")]
        assert ran.err.splitlines() == ["trabecula: 1 still refused"]
    every = at(running, "dead-letters", "redrive", "--all", "--source", "LAB|HOSP")
    assert [each["letter_id"] for each in every.lines] == [3]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("dead-letters", "show", "99"), "no dead letter 99"),
        (("dead-letters", "redrive", "99"), "no dead letter 99"),
        (("dead-letters", "redrive"), "--all"),
        (("dead-letters", "redrive", "1", "--all"), "--all"),
        (("live", "nobody"), "nobody"),
        (("receivers", "refused", "fax"), "fax"),
        (("receivers", "redrive", "fax"), "fax"),
        (("dead-letters", "list", "--data", "x"), "name one"),
    ],
)
def test_what_there_is_not_is_one_plain_line(running: Node, arguments: tuple[str, ...], says: str) -> None:
    ran = at(running, *arguments)
    assert (ran.status, ran.out) == (2, "")
    (line,) = ran.err.splitlines()
    assert says in line


@pytest.mark.parametrize(
    ("where", "says"),
    [
        ("127.0.0.1:9", "--data"),
        ("ftp://127.0.0.1", "HOST:PORT"),
        ("everywhere", "everywhere"),
    ],
)
def test_where_no_node_answers_one_line_says_what_to_do(where: str, says: str) -> None:
    ran = trabecula("dead-letters", "list", "--http", where)
    assert ran.status == 2
    (line,) = ran.err.splitlines()
    assert says in line


def test_a_key_goes_to_no_other_machine_in_the_clear(tmp_path: Path) -> None:
    ran = trabecula("dead-letters", "list", "--http", "node.hospital.example:80", key="tbk_00_secret")
    assert ran.status == 2
    assert "https" in ran.err
    assert "secret" not in ran.err
    file = tmp_path / "key"
    file.write_text("two words")
    assert "one API key" in trabecula("dead-letters", "list", "--key-file", file).err


# ---- going live


def test_the_end_of_a_load_tells_what_stands(running: Node) -> None:
    """In the same state twice: the second time nothing is told."""
    assert running.get("/v1/alerts")["items"] != []
    ran = at(running, "live", "pharmacy")
    assert (ran.status, [notice["rule_id"] for notice in ran.lines]) == (0, ["HEP-02"])
    assert "pharmacy is live; 1 notices" in ran.err
    again = at(running, "live", "pharmacy")
    assert (again.status, again.lines) == (0, [])
    assert "live already" in again.err


# ---- who may


def test_a_key_is_printed_once_and_its_hash_lets_its_holder_in(tmp_path: Path) -> None:
    keys, data = tmp_path / "keys.toml", tmp_path / "data"
    made = {}
    for role in ("operator", "clinician"):
        ran = trabecula("keys", "new", "--name", f"the {role}", "--role", role, "--append", keys)
        (made[role],) = ran.out.split()
        assert made[role].rpartition("_")[2] not in keys.read_text()
    assert stat.S_IMODE(keys.stat().st_mode) == 0o600
    file = tmp_path / "key"
    file.write_text(made["operator"] + "\n")
    with node(data, "--keys", str(keys)) as guarded:
        assert at(guarded, "dead-letters", "list", "--key-file", file).status == 0
        assert at(guarded, "dead-letters", "list", key=made["operator"]).status == 0
        assert "role operator" in at(guarded, "dead-letters", "list", key=made["clinician"]).err
        nobody = at(guarded, "dead-letters", "list")
        assert nobody.status == 2
        assert "TRABECULA_KEY" in nobody.err


def test_a_key_comes_with_its_entry(tmp_path: Path) -> None:
    ran = trabecula("keys", "new", "--name", "lab", "--role", "feed", "--expires", "2030-01-01T00:00:00Z")
    key, _, entry = ran.out.partition("\n")
    assert re.fullmatch(r"tbk_[0-9a-f]{12}_\S{43}", key)
    assert 'name = "lab"\nroles = ["feed"]' in entry
    assert "expires = 2030-01-01" in entry
    assert key.rpartition("_")[2] not in entry
    for wrong, says in (
        (("--name", "lab", "--role", "surgeon"), "roles"),
        (("--name", "", "--role", "feed"), "name"),
        (("--name", "lab", "--role", "feed", "--expires", "soon"), "expires"),
        (("--name", "lab", "--role", "feed", "--expires", "2020-01-01T00:00:00Z"), "expires: it is past"),
        (("--name", "lab", "--role", "feed", "--append", str(tmp_path)), str(tmp_path)),
    ):
        refused = trabecula("keys", "new", *wrong)
        assert (refused.status, refused.out) == (2, "")
        (line,) = refused.err.splitlines()
        assert says in line


@needs_openssl
def test_a_node_that_speaks_https_is_asked_by_whose_word_it_is_trusted(tmp_path: Path) -> None:
    ours = Authority(tmp_path, "ours").make().issue("server", "localhost", "localhost")
    more = ("--http-certificate", str(ours.path("server.pem")), "--http-key", str(ours.path("server.key")))
    with node(tmp_path / "data", *more) as made:
        where = f"https://localhost:{made.addresses['http'].partition(':')[2]}"
        trusted = trabecula("dead-letters", "list", "--http", where, "--authority", ours.path("ca.pem"))
        assert (trusted.status, trusted.err) == (0, "")
        unknown = trabecula("dead-letters", "list", "--http", where)
        assert unknown.status == 2
        assert len(unknown.err.splitlines()) == 1


# ---- backups, of a node at work


def test_a_backup_is_made_at_work_and_restored_into_an_empty_folder(running: Node, data: Path, tmp_path: Path) -> None:
    file = tmp_path / "one.sqlite"
    ran = trabecula("backup", "--data", data, "--to", file)
    assert ran.status == 0, ran.err
    assert "1 charts" in ran.out
    assert "checking" in ran.err
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    again = trabecula("backup", "--data", data, "--to", file)
    assert (again.status, again.out) == (2, "")
    assert "exists" in again.err
    assert trabecula("backup", "--to", tmp_path, data=str(data)).status == 0
    assert len(list(tmp_path.glob("trabecula-*Z.sqlite"))) == 1
    restored = trabecula("restore", file, "--data", tmp_path / "new")
    assert restored.out.replace(str(tmp_path / "new"), str(file)) == ran.out
    with node(tmp_path / "new") as second:
        assert second.get("/v1/alerts")["items"] == running.get("/v1/alerts")["items"]
        assert second.post("/v1/events", told(course(), history=True))["items"][0]["outcome"] == "duplicate"


def test_a_restore_overwrites_nothing_and_takes_only_a_whole_backup(running: Node, data: Path, tmp_path: Path) -> None:
    file, damaged = tmp_path / "one.sqlite", tmp_path / "damaged.sqlite"
    assert trabecula("backup", "--data", data, "--to", file).status == 0
    content = bytearray(file.read_bytes())
    content[4096 * 3 : 4096 * 6] = b"\xff" * (4096 * 3)
    damaged.write_bytes(content)
    assert trabecula("restore", file, "--data", tmp_path / "full").status == 0
    for given, into, says in (
        (file, data, f"process {running.process.pid}"),
        (file, tmp_path / "full", "holds a store already"),
        (damaged, tmp_path / "new", "damaged"),
        (tmp_path / "absent", tmp_path / "new", "no file"),
        (Path(__file__), tmp_path / "new", "no backup"),
    ):
        ran = trabecula("restore", given, "--data", into)
        assert (ran.status, ran.out) == (2, "")
        (line,) = ran.err.splitlines()
        assert says in line
    assert not (tmp_path / "new").exists()
    assert "no store" in trabecula("backup", "--data", tmp_path / "new", "--to", tmp_path / "x").err


# ---- of a node that is stopped


@pytest.fixture
def stopped(running: Node, data: Path, tmp_path: Path) -> Path:
    """The folder of a node that is not at work."""
    assert running.process.poll() is None
    assert trabecula("backup", "--data", data, "--to", tmp_path / "copy.sqlite").status == 0
    assert trabecula("restore", tmp_path / "copy.sqlite", "--data", tmp_path / "stopped").status == 0
    return tmp_path / "stopped"


def test_a_stopped_node_is_operated_on_its_folder_and_the_audit_knows(stopped: Path) -> None:
    assert [each["letter_id"] for each in trabecula("dead-letters", "list", "--data", stopped).lines] == [1, 2, 3]
    assert trabecula("dead-letters", "show", "1", "--data", stopped).out.encode() == BAD
    redriven = trabecula("dead-letters", "redrive", "--all", "--data", stopped)
    assert [(each["letter_id"], each["outcome"]) for each in redriven.lines] == [(n, "refused") for n in (1, 2, 3)]
    assert trabecula("live", "pharmacy", "--data", stopped).status == 0
    assert trabecula("live", "nobody", "--data", stopped).status == 2
    db = opened(stopped / FILE)
    lines = [json.loads(line) for (line,) in db.execute("SELECT CAST(line AS BLOB) FROM audit ORDER BY ordinal")]
    said = [line for line in lines if line.get("how") == "folder"]
    db.close()
    assert [line["detail"] for line in said] == [
        "raw message of dead letter 1",
        *(f"redrive of dead letter {n}" for n in (1, 2, 3)),
        "live pharmacy",
    ]
    assert {line["who"] for line in said} == {f"user {os.getuid()}"}


def test_a_folder_in_use_is_left_alone(running: Node, data: Path) -> None:
    ran = trabecula("dead-letters", "redrive", "1", "--data", data)
    assert ran.status == 2
    assert f"process {running.process.pid}" in ran.err
    assert "--http" in ran.err


def test_charts_are_not_decided_by_another_rule_pack_by_accident(stopped: Path, tmp_path: Path) -> None:
    site = tmp_path / "site.toml"
    site.write_text('version = "x"\n[rules.HEP-01.limits.exposed_days]\nvalue = 14\nreason = "ours"\n')
    ran = trabecula("live", "pharmacy", "--data", stopped, "--rules", site)
    assert (ran.status, ran.out) == (2, "")
    assert "--config" in ran.err


# ---- the record


def test_the_audit_verifies_and_says_where_it_does_not(running: Node, stopped: Path, data: Path) -> None:
    running.get("/v1/alerts")
    whole = trabecula("audit", "verify", "--data", data)
    assert whole.status == 0
    last = whole.out.split()[-1]
    noted = trabecula("audit", "verify", "--data", data, "--noted", last)
    assert "the noted hash is that of line" in noted.out
    assert trabecula("audit", "verify", "--data", data, "--noted", "ab" * 32).status == 1
    db = opened(stopped / FILE)
    db.execute("UPDATE audit SET line = replace(CAST(line AS TEXT), 'local', 'other') WHERE ordinal = 2")
    db.close()
    broken = trabecula("audit", "verify", "--data", stopped)
    assert broken.status == 1
    assert broken.out.startswith("broken at line 2: lines 1 to 1 are as they were written")
    assert trabecula("audit", "verify", "--data", stopped / "none").status == 2


def test_the_tables_go_back_a_version_with_everything_kept(stopped: Path, tmp_path: Path, data: Path) -> None:
    before = trabecula("store", "show", "--data", stopped).out
    kept = tmp_path / "kept.sqlite"
    ran = trabecula("store", "roll-back", "--version", "2", "--keep", kept, "--data", stopped)
    assert ran.status == 0, ran.err
    assert "version 2;" in trabecula("store", "show", "--data", stopped).out
    assert trabecula("restore", kept, "--data", tmp_path / "again").out.split(": ", 1)[1] in before
    old = tmp_path / "old.sqlite"
    assert trabecula("backup", "--data", stopped, "--to", old).status == 0
    assert trabecula("restore", old, "--data", tmp_path / "upgraded").status == 0
    with node(tmp_path / "upgraded") as upgraded:
        assert [a["rule_id"] for a in upgraded.get("/v1/alerts")["items"]] == ["HEP-02"]
    for folder, version, says in ((data, "2", "in use"), (stopped, "99", "expected 1 to")):
        refused = trabecula("store", "roll-back", "--version", version, "--keep", tmp_path / "x", "--data", folder)
        assert (refused.status, refused.out) == (2, "")
        assert says in refused.err
    assert not (tmp_path / "x").exists()
