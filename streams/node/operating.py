"""How an operator's command works on a node: over HTTP where it runs, on its folder where it is stopped.

Shape: both answer as the routes of streams.node.http.operations do, as plain values of JSON; None: no such thing.
Errors: OperatingError says what is in the way, and what to do.
"""

import os
import ssl
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Protocol, Self, cast
from urllib.parse import quote, urlsplit

import httpx
import msgspec

from schemas.wire import decode, encode
from streams.node.access import is_loopback
from streams.node.access_audit import Action, AuditEntry
from streams.node.clock import SystemClock
from streams.node.engine import Engine
from streams.node.http.operation_shapes import DeadLetter, DeadLetterPage, Live, RedrivenLetter
from streams.node.http.operations import whole
from streams.node.operations import redriven
from streams.node.store import Store
from streams.node.store_folder import FILE, FolderInUseError
from streams.node.store_letters import Asked, LetterBox
from streams.service import Service
from streams.settings_layers import SettingsError
from streams.settings_node import OperatorSettings

Json = dict[str, Any]
_WITHIN: Final = 60.0
"""Seconds for one answer; the digest of a large load takes a while."""


class OperatingError(SettingsError):
    """A node that cannot be operated as asked."""


class Operated(Protocol):
    """A node, running or stopped."""

    def letters(self, asked: Asked) -> Json:
        """Dead letters, and where they go on."""

    def letter(self, letter_id: int) -> Json | None:
        """One of them with its message."""

    def redrive(self, letter_id: int) -> Json | None:
        """Take its message again."""

    def go_live(self, source: str) -> Json | None:
        """End a source's load of old data."""


# ---- running


class RunningNode:
    """A node that answers over HTTP."""

    def __init__(self, settings: OperatorSettings) -> None:
        base = settings.http if "://" in settings.http else f"http://{settings.http}"
        key = _key_of(settings)
        parts = urlsplit(base)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise OperatingError(f"{settings.http}: expected HOST:PORT or https://HOST:PORT")
        if key and parts.scheme == "http" and not is_loopback(parts.hostname):
            raise OperatingError(f"{base}: a key goes only over https, or to this machine")
        self._base = base
        self._asking = httpx.Client(
            base_url=base,
            headers={"Authorization": f"Bearer {key}"} if key else {},
            timeout=_WITHIN,
            trust_env=False,  # a proxy of the environment would see the key
            verify=ssl.create_default_context(cafile=settings.authority) if parts.scheme == "https" else True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._asking.close()

    def letters(self, asked: Asked) -> Json:
        said = asdict(asked)
        return self._must("GET", "/v1/dead-letters", {name: each for name, each in said.items() if each is not None})

    def letter(self, letter_id: int) -> Json | None:
        return self.ask("GET", f"/v1/dead-letters/{letter_id}")

    def redrive(self, letter_id: int) -> Json | None:
        return self.ask("POST", f"/v1/dead-letters/{letter_id}/redrive")

    def go_live(self, source: str) -> Json | None:
        return self.ask("POST", f"/v1/sources/{quote(source, safe='')}/live")

    def receivers(self) -> Json:
        """How each receiver fares."""
        return self._must("GET", "/v1/receivers")

    def refused(self, receiver: str, limit: int) -> Json | None:
        """What a receiver refused for good."""
        return self.ask("GET", f"/v1/receivers/{quote(receiver, safe='')}/refused", {"limit": limit})

    def send_again(self, receiver: str, notice_id: str | None, *, overtaken: bool) -> Json | None:
        """Send again what a receiver refused."""
        asked = {"overtaken": overtaken} | ({} if notice_id is None else {"notice_id": notice_id})
        return self.ask("POST", f"/v1/receivers/{quote(receiver, safe='')}/redrive", asked)

    def _must(self, method: str, path: str, asked: Mapping[str, Any] | None = None) -> Json:
        found = self.ask(method, path, asked)
        if found is None:
            raise OperatingError(f"{self._base} is no node of this version: it does not know {path}")
        return found

    def ask(self, method: str, path: str, asked: Mapping[str, Any] | None = None) -> Json | None:
        """What the node answers; None: there is no such thing."""
        said = {name: str(each).lower() if isinstance(each, bool) else each for name, each in (asked or {}).items()}
        try:
            answer = self._asking.request(method, path, params=said or None)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise OperatingError(
                f"no answer from {self._base} ({type(error).__name__}): is the node running there? "
                "Of a stopped one name the folder by --data"
            ) from None
        if answer.status_code == httpx.codes.NOT_FOUND:
            return None
        if answer.is_success:
            return cast("Json", msgspec.json.decode(answer.content))
        raise OperatingError(f"{self._base}: {_why(answer)}")


def _why(answer: httpx.Response) -> str:
    if answer.status_code == httpx.codes.UNAUTHORIZED:
        return "it asks who you are; give a key by --key-file, or TRABECULA_KEY in the environment"
    if answer.status_code == httpx.codes.FORBIDDEN:
        return "your key may not do this; it needs the role operator"
    try:
        return str(answer.json()["detail"])
    except (ValueError, KeyError, TypeError):
        return f"status {answer.status_code}"


def _key_of(settings: OperatorSettings) -> str:
    if settings.key_file is None:
        return "" if settings.key is None else settings.key.get_secret_value().strip()
    try:
        key = settings.key_file.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError):
        raise OperatingError(f"{settings.key_file}: expected a file with an API key in it") from None
    if not key.isprintable() or " " in key:
        raise OperatingError(f"{settings.key_file}: expected one API key and nothing else")
    return key


# ---- stopped


class StoppedNode:
    """A node whose folder nobody works in; it is this command's until it ends.

    Topic: what changes something is decided as the node would decide it, so that it takes the node's own settings.
    """

    def __init__(self, folder: Path, service: Service) -> None:
        if not (folder / FILE).exists():
            raise OperatingError(f"there is no store in {folder}")
        try:
            self._store = Store(folder)
        except FolderInUseError as error:
            raise OperatingError(f"{error}; or ask the running node by --http") from None
        self._service = service
        self._box = LetterBox(folder)
        self._engine: Engine | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self._engine is not None:
                self._engine.close(_WITHIN)
        finally:
            self._box.close()
            self._store.close()

    def letters(self, asked: Asked) -> Json:
        found = self._box.some(asked)
        items = tuple(DeadLetter.model_validate(asdict(each)) for each in found.items)
        return _plain(DeadLetterPage(items=items, next=found.next))

    def letter(self, letter_id: int) -> Json | None:
        found = self._box.one(letter_id)
        if found is None:
            return None
        line = self._line("read", f"raw message of dead letter {letter_id}")
        with self._store.transaction():
            self._store.rows.put_audit(line)
        return _plain(whole(*found))

    def redrive(self, letter_id: int) -> Json | None:
        engine = self._at_work()
        self._note(engine, f"redrive of dead letter {letter_id}")
        outcome = engine.redrive(letter_id).result(_WITHIN)
        if outcome is None:
            return None
        return _plain(RedrivenLetter.model_validate(asdict(redriven(letter_id, outcome))))

    def go_live(self, source: str) -> Json | None:
        sql = "SELECT state FROM source WHERE source = ?"
        row = self._store.rows.db.execute(sql, (source,)).fetchone()
        if row is None:
            return None
        engine = self._at_work()
        self._note(engine, f"live {source}")
        digest = tuple(engine.go_live(source).result(_WITHIN))
        return _plain(Live(source=source, was_loading=row[0] == "history", digest=digest))

    def _at_work(self) -> Engine:
        if self._engine is None:
            service = self._service
            made = Engine(self._store, service.monitor, service.tables, service.settings.site)
            if made.to_examine:
                raise OperatingError(
                    f"{made.to_examine:,} charts were decided by another rule pack or version; give this command the "
                    "--config (--rules, --tables) of the node, or let the node examine them first"
                )
            made.start()
            self._engine = made
        return self._engine

    def _note(self, engine: Engine, detail: str) -> None:
        line = self._line("changed", detail)
        engine.call(lambda desk: desk.audit(line)).result(_WITHIN)

    def _line(self, action: Action, detail: str) -> Json:
        now, who = SystemClock().now(), f"user {os.getuid()}"
        return asdict(AuditEntry(now, who, "folder", action, "command line", detail=detail))


def _plain(shape: Any) -> Json:
    return cast("Json", decode(encode(shape)))
