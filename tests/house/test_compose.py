"""The deployment is what it says: files are there, settings exist, commands run, expressions have metrics.

Topic: no container is started here. What a container engine would say of the file, the published schema of such files
says; what Prometheus and Alertmanager would say of theirs, their own tools do.
"""

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

import jsonschema
import pytest
import yaml

from streams.kafka.worker_metrics import COUNTED
from streams.node.access_settings import AccessSettings
from streams.node.delivery_file import load_receivers
from streams.settings import KNOWN, Asked, Settings
from streams.settings_kafka import KafkaSettings
from streams.settings_layers import PREFIX
from streams.settings_node import NodeSettings
from streams.settings_worker import WorkerSettings
from tests.house.places import ROOT, sources, text

Json = dict[str, Any]
COMPOSE: Final[Json] = yaml.safe_load(text("docker-compose.yml"))
SERVICES: Final[dict[str, Json]] = COMPOSE["services"]
OURS: Final = {name: service for name, service in SERVICES.items() if service["image"].startswith("trabecula:")}
PROCESSES: Final = {name: service for name, service in OURS.items() if "entrypoint" not in service}


def need(tool: str) -> str:
    """The path of a tool; without it skip with the reason, or fail where everything must run."""
    found = shutil.which(tool)
    if found is None:
        message = f"{tool} is not installed (Debian: prometheus, prometheus-alertmanager)"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return found


# ---- the file of services


def test_it_is_a_compose_file() -> None:
    """The schema travels with check-jsonschema, whose own command does not run beside the click that is locked here."""
    package = importlib.util.find_spec("check_jsonschema")
    assert package is not None
    assert package.origin is not None
    schema = Path(package.origin).parent / "builtin_schemas" / "vendor" / "compose-spec.json"
    validator = jsonschema.validators.validator_for(json.loads(schema.read_text("utf-8")))
    validator(json.loads(schema.read_text("utf-8"))).validate(COMPOSE)
    with pytest.raises(jsonschema.ValidationError):
        validator(json.loads(schema.read_text("utf-8"))).validate(COMPOSE | {"services": {"x": {"image": 1}}})


@pytest.mark.parametrize("name", SERVICES)
def test_an_image_is_pinned_and_a_port_is_on_loopback(name: str) -> None:
    service = SERVICES[name]
    assert re.fullmatch(r"[a-z/]+:v?\d+\.\d+\.\d+(@sha256:[0-9a-f]{64})?", service["image"])
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))


@pytest.mark.parametrize("name", [name for name, service in SERVICES.items() if service.get("restart") != "no"])
def test_whatever_goes_on_says_whether_it_is_well(name: str) -> None:
    assert SERVICES[name]["healthcheck"]["test"][0] == "CMD"


@pytest.mark.parametrize("name", OURS)
def test_a_process_of_ours_may_do_nothing_but_its_work(name: str) -> None:
    service = OURS[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in service
    assert "user" not in service, "the image names one that is not root"


def mounted() -> Iterator[tuple[str, str, str]]:
    """Of every volume: the service, where it comes from, and where it is in the container."""
    for name, service in SERVICES.items():
        for volume in service.get("volumes", ()):
            source, target, *_ = volume.split(":")
            yield name, source, target


def test_every_file_that_is_mounted_is_there_and_every_volume_is_declared() -> None:
    for name, source, _ in mounted():
        if source.startswith("."):
            assert (ROOT / source).exists(), f"{name}: {source}"
        else:
            assert source in COMPOSE["volumes"], f"{name}: {source}"
    assert COMPOSE["volumes"].keys() == {source for _, source, _ in mounted() if not source.startswith(".")}


@pytest.mark.parametrize("name", OURS)
def test_every_setting_is_one_and_is_taken(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    environment = OURS[name].get("environment", {})
    for said in [said for said in os.environ if said.startswith(PREFIX)]:
        monkeypatch.delenv(said)
    for said, value in environment.items():
        assert said.removeprefix(PREFIX).lower() in KNOWN, said
        monkeypatch.setenv(said, value)
    asked = Asked(None, {})
    assert asked.load(KafkaSettings).bootstrap in {"kafka:9092", "127.0.0.1:9092"}
    assert asked.load(Settings).time_zone == environment.get("TRABECULA_TIME_ZONE", "UTC")
    assert asked.load(NodeSettings).http in {"0.0.0.0:8080", "127.0.0.1:8080"}
    assert asked.load(WorkerSettings).standbys == 1
    assert (asked.load(AccessSettings).keys is not None) == ("TRABECULA_KEYS" in environment)


@pytest.mark.parametrize("name", PROCESSES)
def test_a_command_line_is_one_of_ours(name: str) -> None:
    command = [sys.executable, "-m", "streams.cli", *PROCESSES[name]["command"], "--help"]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stderr
    assert " ".join(PROCESSES[name]["command"]) in said.stdout


def test_the_keys_are_made_once_by_the_script_that_makes_them(tmp_path: Path) -> None:
    """It runs here with the folders of the container replaced; a second run changes nothing."""
    (script,) = SERVICES["keys"]["command"]
    script = script.replace("$$", "$").replace("/run/trabecula", str(tmp_path))
    for folder in ("access", "secrets"):
        (tmp_path / folder).mkdir()
    (tmp_path / "bin").mkdir()
    shim = tmp_path / "bin" / "trabecula"
    shim.write_text(f'#!/bin/sh\ncd {ROOT}\nexec "{sys.executable}" -m streams.cli "$@"\n', "utf-8")
    shim.chmod(0o755)
    script = script.replace("--append keys.toml", f"--append {tmp_path}/secrets/keys.toml")
    environment = {**os.environ, "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"}
    contents = []
    for _ in range(2):
        command = [*SERVICES["keys"]["entrypoint"], script]
        subprocess.run(command, env=environment, cwd=tmp_path, check=True, capture_output=True)
        contents.append({p.relative_to(tmp_path): p.read_bytes() for p in tmp_path.rglob("*.[kt]*") if p.is_file()})
    assert contents[0] == contents[1]
    names = {str(path) for path in contents[0]}
    assert names == {"access/keys.toml", *(f"secrets/{r}.key" for r in ("feed", "clinician", "operator", "auditor"))}
    keys = (tmp_path / "access" / "keys.toml").read_text("utf-8")
    assert keys.count("[[key]]") == 4
    assert all(content.decode().strip() not in keys for path, content in contents[0].items() if path.suffix == ".key")


# ---- the image


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's instructions, comments and continued lines resolved."""
    lines = re.sub(r"\\\n", " ", re.sub(r"^#.*\n", "", text("Dockerfile"), flags=re.MULTILINE)).splitlines()
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in lines if line.strip())]


def test_the_image_is_built_in_stages_from_the_lock_and_runs_as_nobody_in_particular() -> None:
    found = instructions()
    bases = [rest.split()[0] for word, rest in found if word == "FROM"]
    assert len(bases) == 2
    assert set(bases) == {bases[0]}
    assert re.fullmatch(r"python:3\.11\.\d+-slim-bookworm", bases[0])
    assert any("--require-hashes" in rest for word, rest in found if word == "RUN")
    assert [rest for word, rest in found if word == "USER"] == ["10001:10001"]
    assert ("ENTRYPOINT", '["trabecula"]') in found
    assert "://" not in text("Dockerfile"), "where packages come from is the site's to say"


def test_what_the_image_is_built_from_is_there_and_goes_to_the_builder() -> None:
    let_in = {line[1:] for line in text(".dockerignore").splitlines() if line.startswith("!")}
    copied = [rest.split()[:-1] for word, rest in instructions() if word == "COPY" and not rest.startswith("--from")]
    names = {name for some in copied for name in some}
    assert names == let_in
    assert all((ROOT / name).exists() for name in names)


# ---- what watches it


def test_prometheus_takes_its_configuration_and_rules() -> None:
    promtool = need("promtool")
    for check in (["config", "--syntax-only", "prometheus.yml"], ["rules", "rules.yml"]):
        command = [promtool, "check", *check[:-1], str(ROOT / "deploy" / "prometheus" / check[-1])]
        said = subprocess.run(command, capture_output=True, text=True, check=False)
        assert said.returncode == 0, said.stderr + said.stdout


def test_alertmanager_takes_its_configuration() -> None:
    command = [need("amtool"), "check-config", str(ROOT / "deploy" / "alertmanager" / "alertmanager.yml")]
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stderr + said.stdout


def test_every_process_is_scraped_where_it_listens_and_with_a_key_where_one_is_asked_for() -> None:
    jobs = yaml.safe_load(text("deploy/prometheus/prometheus.yml"))["scrape_configs"]
    targets = {t: job for job in jobs for group in job["static_configs"] for t in group["targets"]}
    listening = {n for n, service in OURS.items() if "TRABECULA_HTTP" in service.get("environment", {})}
    assert {target.partition(":")[0] for target in targets} == listening
    for target, job in targets.items():
        name, _, port = target.partition(":")
        environment = OURS[name]["environment"]
        assert environment["TRABECULA_HTTP"].endswith(f":{port}")
        assert ("TRABECULA_KEYS" in environment) == ("authorization" in job)


@cache
def metrics() -> frozenset[str]:
    """Every metric that the code names, as Prometheus knows it."""
    found = {name for path in sources() for name in re.findall(r'"(trabecula_[a-z_]+)"', path.read_text("utf-8"))}
    found |= {f"trabecula_{name}" for name in COUNTED}
    return frozenset(found | {f"{name}{end}" for name in found for end in ("_total", "_bucket", "_sum", "_count")})


def expressions() -> Iterator[tuple[str, str]]:
    """Every expression of the rules and of the dashboard, by where it stands."""
    for group in yaml.safe_load(text("deploy/prometheus/rules.yml"))["groups"]:
        yield from ((rule["alert"], rule["expr"]) for rule in group["rules"])
    for panel in json.loads(text("deploy/grafana/dashboards/trabecula.json"))["panels"]:
        yield from ((panel["title"], target["expr"]) for target in panel["targets"])


@pytest.mark.parametrize(("where", "expression"), list(expressions()))
def test_an_expression_asks_for_metrics_that_there_are(where: str, expression: str) -> None:
    asked = set(re.findall(r"\btrabecula_[a-z_]+", expression))
    assert asked or expression == "up == 0", where
    assert asked <= metrics()


def test_expressions_of_the_dashboard_can_be_read(tmp_path: Path) -> None:
    rules = [{"record": f"panel:{number}", "expr": expr} for number, (_, expr) in enumerate(expressions())]
    made = tmp_path / "rules.yml"
    made.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}), "utf-8")
    said = subprocess.run([need("promtool"), "check", "rules", str(made)], capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stderr


def test_every_alarm_goes_to_somebody_by_its_severity() -> None:
    """Clinical notices never pass through Alertmanager; what does is of the service itself."""
    rules = [rule for group in yaml.safe_load(text("deploy/prometheus/rules.yml"))["groups"] for rule in group["rules"]]
    assert {rule["labels"]["severity"] for rule in rules} == {"page", "ticket"}
    route = yaml.safe_load(text("deploy/alertmanager/alertmanager.yml"))
    named = {receiver["name"] for receiver in route["receivers"]}
    assert {route["route"]["receiver"], *(each["receiver"] for each in route["route"]["routes"])} == named


def test_the_provisioned_dashboard_is_where_grafana_looks() -> None:
    provider = yaml.safe_load(text("deploy/grafana/provisioning/dashboards/trabecula.yml"))["providers"][0]
    targets = {target: source for name, source, target in mounted() if name == "grafana"}
    assert (ROOT / targets[provider["options"]["path"]] / "trabecula.json").exists()
    source = yaml.safe_load(text("deploy/grafana/provisioning/datasources/prometheus.yml"))["datasources"][0]
    board = json.loads(text("deploy/grafana/dashboards/trabecula.json"))
    assert {target["datasource"]["uid"] for p in board["panels"] for target in p["targets"]} == {source["uid"]}


def test_the_receivers_are_as_notify_reads_them() -> None:
    (receiver,) = load_receivers(ROOT / "deploy" / "receivers.toml").receivers
    assert str(receiver.path).startswith("/var/lib/trabecula/")  # type: ignore[union-attr]
