"""Settings: a flag beats the environment, which beats the file; what is wrong is one plain line."""

from datetime import timedelta
from pathlib import Path
from typing import Any, get_args

import pytest

from streams.node.engine import Limits
from streams.node.logs import Event
from streams.node.starting import limits_of
from streams.settings import KINDS, KNOWN, load, never_read
from streams.settings_node import DemoSettings, LogSettings, NodeSettings, OperatorSettings
from tests.cli.running import trabecula, written
from tests.events import heparin, pregnancy


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A file with settings of several commands."""
    file = tmp_path / "site.toml"
    file.write_text(
        'time_zone = "Europe/Berlin"\nmost_together = 32\nlog_level = "warning"\nkeep_raw_days = 400\n'
        'mllp_client = ["LAB GATEWAY", "adt"]\nmllp_authority = "a.pem"\n'
        'mllp_certificate = "c.pem"\nmllp_key = "k.pem"\n'
        'seed = 4\npatients = 2\ndays = 3\npatient = "P"\nrule = "HEP-02"\nas_json = true\n'
    )
    return file


def test_a_flag_beats_the_environment_which_beats_the_file(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert load(NodeSettings, config).most_together == 32
    monkeypatch.setenv("TRABECULA_MOST_TOGETHER", "64")
    assert load(NodeSettings, config).most_together == 64
    assert load(NodeSettings, config, most_together=128).most_together == 128
    assert load(NodeSettings, None).keep_raw_days is None


def test_one_file_has_the_settings_of_all_commands_and_each_takes_its_own(config: Path) -> None:
    assert load(LogSettings, config).log_level == "warning"
    assert load(NodeSettings, config).mllp_client == ("LAB GATEWAY", "adt")
    events = written(config.parent / "course.ndjson", [pregnancy(30), heparin(42, starts=42)])
    explained = trabecula("explain", events, "--config", config)
    assert [one["rule_id"] for one in explained.lines] == ["HEP-02"]
    assert trabecula("explain", events, config=str(config)).lines == explained.lines
    simulated = trabecula("simulate", "--config", config)
    assert simulated.out == trabecula("simulate", seed="4", patients="2", days="3", time_zone="Europe/Berlin").out
    assert simulated.out != trabecula("simulate", "--config", config, "--seed", "5").out


@pytest.mark.parametrize(
    ("given", "names"),
    [("LAB GATEWAY, adt", ("LAB GATEWAY", "adt")), ('["lab, old", "adt"]', ("lab, old", "adt"))],
)
def test_names_of_clients_stand_in_the_environment_with_commas_or_as_json(
    given: str, names: tuple[str, ...], config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRABECULA_MLLP_CLIENT", given)
    assert load(NodeSettings, config).mllp_client == names


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ('time_zoen = "UTC"\n', "unknown setting time_zoen; known: time_zone"),
        ("most_together = 0\n", "setting most_together"),
        ("keep_raw_days = 0\n", "setting keep_raw_days"),
        ('log_level = "loud"\n', "setting log_level"),
        ('http_key = "k.pem"\n', "--http-certificate and --http-key"),
        ('mllp_client = ["lab"]\n', "--mllp-authority"),
        ('key = "tbk_00_secret"\n', "unknown setting key"),
        ("most_together = \n", "site.toml"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_plain_line(tmp_path: Path, content: str, says: str) -> None:
    file = tmp_path / "site.toml"
    file.write_text(content)
    ran = trabecula("serve", "--config", file, "--data", tmp_path / "data", "--http", "127.0.0.1:0")
    assert (ran.status, ran.out) == (2, "")
    (line,) = ran.err.splitlines()
    assert says in line
    assert "secret" not in line
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("name", "value"),
    [("most_waiting", "many"), ("log_form", "xml"), ("oidc_leeway", "-1"), ("oidc_role_names", "none"), ("until", "?")],
)
def test_an_environment_that_cannot_be_used_is_one_plain_line(tmp_path: Path, name: str, value: str) -> None:
    setting: dict[str, Any] = {name: value}
    ran = trabecula("serve", "--data", tmp_path / "data", **setting)
    assert ran.status == 2
    (line,) = ran.err.splitlines()
    assert name in line.lower()


def test_a_name_in_the_environment_that_is_no_setting_is_found() -> None:
    given = {"TRABECULA_KEEP_RAW": "3", "TRABECULA_CONFIG": "x", "TRABECULA_HTTP": "y", "PATH": "z"}
    assert never_read(given) == ["TRABECULA_KEEP_RAW"]


def test_a_name_means_one_thing_in_every_group() -> None:
    """`http` is the address of the node, for itself and for whoever asks it; nothing else is in two groups."""
    names = [name for kind in KINDS for name in kind.model_fields]
    assert {name for name in names if names.count(name) > 1} == {"http"}
    assert load(OperatorSettings).http == load(NodeSettings).http
    assert len(KNOWN) == len(names) - 1


def test_the_demo_takes_no_setting_of_a_real_node() -> None:
    """An invented hospital in the folder of a real one could never be taken out again."""
    assert [name for name in DemoSettings.model_fields if not name.startswith("demo_")] == []


def test_the_limits_that_are_set_are_those_of_the_engine(config: Path) -> None:
    limits = limits_of(load(NodeSettings, config, most_waiting=7, most_waiting_bytes=2**21, charts_in_memory=9))
    assert limits == Limits(7, 2**21, 32, 9, timedelta(days=400))
    assert limits_of(load(NodeSettings)) == Limits()


def test_the_page_of_operators_has_every_setting_and_every_event_of_the_log() -> None:
    page = (Path(__file__).parents[2] / "docs" / "operation.md").read_text("utf-8")
    of_brokers = ("kafka", "worker")  # the processes of the other deployment have a page of their own
    kinds = [kind for kind in KINDS if not any(word in kind.__module__ for word in of_brokers)]
    ours = {name for kind in kinds for name in kind.model_fields}
    assert sorted(name for name in ours if f"`{name}`" not in page) == []
    assert sorted(event for event in get_args(Event) if f"`{event}`" not in page) == []
