"""Flags of the command line. None means that a flag was not given: then the environment and the file are asked."""

from pathlib import Path
from typing import Annotated

import typer

ConfigOption = Annotated[
    Path | None, typer.Option("--config", envvar="TRABECULA_CONFIG", help="TOML file of settings.")
]
ZoneOption = Annotated[str | None, typer.Option("--time-zone", help="IANA name of the site's time zone.")]
RulesOption = Annotated[
    Path | None, typer.Option("--rules", help="TOML file of overrides of the rule pack, or a whole pack.")
]
TablesOption = Annotated[Path | None, typer.Option("--tables", help="TOML file of the site's own codes and units.")]
SourceOption = Annotated[str | None, typer.Option("--source", help="Name of the feed.")]

# ---- a node

DataOption = Annotated[
    Path | None, typer.Option("--data", help="Folder that everything is kept in (trabecula-data).", show_default=False)
]
HttpOption = Annotated[str | None, typer.Option("--http", help="HOST:PORT (127.0.0.1:8080); port 0 picks a free one.")]
HttpCertificateOption = Annotated[
    Path | None, typer.Option("--http-certificate", help="PEM file of a certificate and its chain; HTTPS then.")
]
HttpKeyOption = Annotated[Path | None, typer.Option("--http-key", help="PEM file of its key.")]
MllpOption = Annotated[str | None, typer.Option("--mllp", help="HOST:PORT (127.0.0.1:2575); port 0 picks a free one.")]
MllpCertificateOption = Annotated[
    Path | None, typer.Option("--mllp-certificate", help="PEM file of a certificate and its chain; MLLP over TLS then.")
]
MllpKeyOption = Annotated[Path | None, typer.Option("--mllp-key", help="PEM file of its key.")]
MllpAuthorityOption = Annotated[
    Path | None, typer.Option("--mllp-authority", help="PEM file: whose clients are let in.")
]
MllpClientOption = Annotated[
    list[str] | None, typer.Option("--mllp-client", help="Name of a client that is let in; again for each.")
]
KeysOption = Annotated[Path | None, typer.Option("--keys", help="TOML file of API keys; needed off loopback.")]
ReceiversOption = Annotated[Path | None, typer.Option("--receivers", help="TOML file of the receivers of notices.")]
KeepRawOption = Annotated[
    int | None, typer.Option("--keep-raw-days", help="Keep raw messages so many days, and longer what is evidence.")
]
MostWaitingOption = Annotated[
    int | None, typer.Option("--most-waiting", help="Messages that wait for the disk at most (4096).")
]
MostBytesOption = Annotated[
    int | None, typer.Option("--most-waiting-bytes", help="Bytes of the messages that wait at most (128 MiB).")
]
MostTogetherOption = Annotated[
    int | None, typer.Option("--most-together", help="Messages in one transaction at most (256).")
]
ChartsOption = Annotated[
    int | None, typer.Option("--charts-in-memory", help="Charts that are held beside the disk's at most.")
]
LevelOption = Annotated[
    str | None, typer.Option("--log-level", help="debug, info, warning or error: the least that is said (info).")
]
FormOption = Annotated[
    str | None, typer.Option("--log-form", help="json, human or auto: human on a terminal, else json (auto).")
]

CheckOption = Annotated[
    bool, typer.Option("--check", help="Only say of each thing whether it is as it must be; change nothing.")
]

# ---- whoever operates one

FolderOption = Annotated[Path | None, typer.Option("--data", help="The folder of a node that is stopped.")]
NodeOption = Annotated[
    str | None, typer.Option("--http", help="A running node: HOST:PORT or https://HOST:PORT (127.0.0.1:8080).")
]
KeyFileOption = Annotated[
    Path | None, typer.Option("--key-file", help="File with an API key; or TRABECULA_KEY in the environment.")
]
AuthorityOption = Annotated[
    Path | None, typer.Option("--authority", help="PEM file: by whose word the node's certificate is trusted.")
]
JsonOption = Annotated[
    bool | None, typer.Option("--json/--table", help="NDJSON, or a table (on a terminal).", show_default=False)
]

# ---- Kafka

BootstrapOption = Annotated[
    str | None, typer.Option("--bootstrap", help="HOST:PORT of some brokers, with commas between (127.0.0.1:9092).")
]
