"""What a node says of itself while it works: events of a closed set, as lines on stderr.

Law: no line has anything of a patient. An event is a word of `Event`, what is said of it is under a key of `KNOWN` and
a number, a truth or a short word; whatever else somebody hands over, and every sentence of a library, is left out.
"""

import logging
import re
import sys
import threading
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal, TextIO, get_args

import structlog

from streams.settings_node import LogSettings

Event = Literal[
    "started",
    "stopping",
    "stopped",
    "failed",
    "not_taking",
    "taking_again",
    "feed_connected",
    "feed_disconnected",
    "feed_refused",
    "receiver_failing",
    "receiver_recovered",
    "receiver_refused",
    "courier_failed",
    "dead_letters",
    "examining",
    "examined",
    "went_live",
    "redriven",
    "canary_silent",
    "canary_heard",
    "request",
    "request_failed",
    "library",
]
"""What can happen. docs/operation.md says what each means, and what is to be done."""

KNOWN: Final = frozenset(
    {
        "accepted",
        "charts",
        "connections",
        "count",
        "error",
        "feed",
        "http",
        "left",
        "library",
        "method",
        "mllp",
        "notices",
        "of",
        "outcome",
        "place",
        "process",
        "reason",
        "receiver",
        "refused",
        "route",
        "rulepack",
        "schema",
        "seconds",
        "sha256",
        "status",
        "time_zone",
        "upgraded_from",
        "version",
    }
)
"""What can be said of an event."""

Said = str | int | float | bool | None
_EVENTS: Final = frozenset(get_args(Event))
_OURS: Final = "trabecula"
_LONGEST: Final = 200
_NEVER: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_ADDED: Final = frozenset({"timestamp", "level"})


def only_known(_: Any, __: str, said: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Let through an event of the closed set, and what is known to be said of one (a structlog processor)."""
    event = said.pop("event", None)
    kept = {key: _short(value) for key, value in said.items() if key in KNOWN and isinstance(value, Said)}
    return {"event": event if event in _EVENTS else "library", **kept}


def _short(value: Said) -> Said:
    return _NEVER.sub(" ", value)[:_LONGEST] if isinstance(value, str) else value


def only_its_place(_: Any, __: str, said: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Of a library's line only where it comes from: its words may quote what they speak of."""
    record: logging.LogRecord = said["_record"]
    kept: dict[str, Any] = {"event": "library", "library": record.name, "place": f"{record.module}:{record.lineno}"}
    if record.exc_info and record.exc_info[0] is not None:
        kept["error"] = record.exc_info[0].__name__
    return {**kept, "_record": record, "_from_structlog": False}


class Log:
    """The log of one part of the service."""

    def __init__(self, part: str) -> None:
        self._log: structlog.stdlib.BoundLogger = structlog.wrap_logger(
            logging.getLogger(f"{_OURS}.{part}"),
            processors=[
                structlog.stdlib.filter_by_level,
                only_known,
                structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
            ],
            wrapper_class=structlog.stdlib.BoundLogger,
        )

    def debug(self, event: Event, **said: Said) -> None:
        """For whoever looks for a fault."""
        self._log.debug(event, **said)

    def info(self, event: Event, **said: Said) -> None:
        """As it should be."""
        self._log.info(event, **said)

    def warning(self, event: Event, **said: Said) -> None:
        """Somebody should look at it, and it goes on."""
        self._log.warning(event, **said)

    def error(self, event: Event, **said: Said) -> None:
        """Something does not work until somebody has looked at it."""
        self._log.error(event, **said)


# ---- as lines


def say_to(out: TextIO, settings: LogSettings) -> None:
    """Have everything that is logged in this process written as lines to a stream, and nowhere else."""
    written = logging.StreamHandler(out)
    written.setFormatter(_formatter(human=_is_human(out, settings)))
    root = logging.getLogger()
    for former in root.handlers[:]:
        root.removeHandler(former)
    root.addHandler(written)
    root.setLevel(logging.WARNING)  # of libraries only what went wrong: at INFO httpx writes addresses
    logging.getLogger(_OURS).setLevel(settings.log_level.upper())
    logging.captureWarnings(capture=True)
    threading.excepthook = _thread_failed
    sys.excepthook = _failed


def _is_human(out: TextIO, settings: LogSettings) -> bool:
    return settings.log_form == "human" or (settings.log_form == "auto" and out.isatty())


def _formatter(*, human: bool) -> structlog.stdlib.ProcessorFormatter:
    stamped = structlog.processors.TimeStamper(fmt="%H:%M:%S" if human else "iso", utc=not human)
    drawn: Any = structlog.dev.ConsoleRenderer(colors=human and sys.stderr.isatty()) if human else _as_json
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[only_its_place],
        processors=[_level, stamped, structlog.stdlib.ProcessorFormatter.remove_processors_meta, drawn],
        keep_exc_info=False,
        keep_stack_info=False,
    )


def _level(_: Any, __: str, said: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    record: logging.LogRecord = said["_record"]
    return {"level": record.levelname.lower(), **said}


_json: Final = structlog.processors.JSONRenderer(ensure_ascii=False)


def _as_json(logger: Any, name: str, said: MutableMapping[str, Any]) -> str | bytes:
    first = {key: said[key] for key in ("timestamp", "level", "event") if key in said}
    return _json(logger, name, {**first, **said})


# ---- what nobody caught


def place_of(trace: TracebackType | None) -> str:
    """Where something failed: file and line, never what it failed on."""
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "" if trace is None else f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}"


def loop_failed(context: Mapping[str, Any]) -> None:
    """Say that something failed in an event loop, in a task that nobody waits for."""
    error = context.get("exception")
    if isinstance(error, BaseException):
        LOG.error("failed", error=type(error).__name__, place=place_of(error.__traceback__))
    else:
        LOG.warning("failed", place="asyncio")


def _thread_failed(what: threading.ExceptHookArgs) -> None:
    LOG.error("failed", error=what.exc_type.__name__, place=place_of(what.exc_traceback))


def _failed(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
        return
    LOG.error("failed", error=kind.__name__, place=place_of(trace))


LOG: Final = Log("node")
