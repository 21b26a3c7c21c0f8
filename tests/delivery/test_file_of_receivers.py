"""The file that names the receivers: the example of the page is taken, and what is not known is named with what is."""

from datetime import time
from pathlib import Path

import pytest

from alerting.delivery.settings import FileSettings, WebhookSettings
from streams.node.delivery_file import load_receivers
from streams.settings import SettingsError
from tests.house.test_docs import example

WEBHOOK = """
[[receivers]]
name = "ward"
kind = "webhook"
url = "https://ward.example/"
secret = "whsec_QW4gZXhhbXBsZSBvbmx5OiBtYWtlIHlvdXIgb3duLg=="
"""


def written(folder: Path, content: str) -> Path:
    file = folder / "receivers.toml"
    file.write_text(content, "utf-8")
    return file


def test_the_example_of_the_page_is_taken_as_the_page_says(tmp_path: Path) -> None:
    found = load_receivers(written(tmp_path, example("docs/delivery.md", "receivers"))).receivers
    on_call, clinic, log = found
    assert isinstance(on_call, WebhookSettings)
    assert (set(on_call.severities), on_call.digest) == ({"critical", "warning"}, "never")
    assert isinstance(clinic, WebhookSettings)
    assert (clinic.rules, clinic.digest_at) == (("HEP-*", "BMD-01"), time(6, 30))
    assert clinic.former_secret is not None
    assert isinstance(log, FileSettings)
    assert (log.record, log.begins) == (True, "beginning")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (WEBHOOK.replace("receivers", "receiver"), "receiver: not known; accepted: [[receivers]]"),
        (WEBHOOK + 'level = "high"', "receivers.0.webhook.level: not known; accepted: name, severities, rules,"),
        (
            '[[receivers]]\nname = "log"\nkind = "file"\npath = "/x"\nsecret = "s"',
            "receivers.0.file.secret: not known; accepted: name, severities,",
        ),
    ],
)
def test_what_is_not_known_is_named_with_what_is_accepted(tmp_path: Path, content: str, says: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load_receivers(written(tmp_path, content))
    assert says in str(refused.value)
    assert "whsec_" not in str(refused.value)
