"""The command line. Exit status: 0 done; 1 a check failed; 2 usage or unreadable input."""

import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated, Final, NoReturn

import typer

from alerting.rules import RULES
from schemas.rulepack import RulePack, RulePackError
from schemas.tables import TableError
from schemas.values import NotWhatWasExpectedError, instant
from streams.cli_gateway import gateway_command
from streams.cli_kafka import console_command, notify_command, topics_app, worker_command
from streams.cli_node import demo_command, serve_command
from streams.cli_operations import letters_app, live_command, receivers_app
from streams.cli_options import ConfigOption, RulesOption, SourceOption, TablesOption, ZoneOption
from streams.cli_storage import audit_app, backup_command, keys_app, restore_command, store_app
from streams.explain import in_words
from streams.inputs import UnreadableError
from streams.service import Service, packaged_pack
from streams.settings import Settings, SettingsError, load, load_settings
from streams.settings_offline import ExplainSettings, SimulateSettings
from streams.shell import Progress, Report, write

app: Final = typer.Typer(
    name="trabecula",
    help="Watches hospital events for pregnancy- and lactation-associated and heparin-induced osteoporosis. "
    "It supports decisions; it gives no diagnosis and no treatment advice.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
rules_app: Final = typer.Typer(help="The rule pack: sentence, limits, citations, flags.", no_args_is_help=True)
app.add_typer(rules_app, name="rules")
app.command("serve")(serve_command)
app.command("demo")(demo_command)
app.command("gateway")(gateway_command)
app.command("backup")(backup_command)
app.command("restore")(restore_command)
app.command("live")(live_command)
app.command("notify")(notify_command)
app.command("console")(console_command)
app.command("worker")(worker_command)
for _name, _group in (
    ("dead-letters", letters_app),
    ("receivers", receivers_app),
    ("store", store_app),
    ("audit", audit_app),
    ("keys", keys_app),
):
    app.add_typer(_group, name=_name, no_args_is_help=True)
app.add_typer(topics_app, name="topics")

Files = Annotated[list[Path], typer.Argument(help="Events (NDJSON), FHIR R4 (JSON, NDJSON, Bundles) or HL7 v2 files.")]


def _instant(given: str | None, option: str) -> datetime | None:
    if given is None:
        return None
    try:
        return instant(given)
    except NotWhatWasExpectedError as error:
        raise typer.BadParameter(str(error), param_hint=option) from None


@app.command()
def replay(
    files: Files,
    until: Annotated[str | None, typer.Option("--until", help="Let the clock run on to this instant.")] = None,
    final: Annotated[
        bool | None, typer.Option("--final/--no-final", help="Print the standing alerts instead of the notices.")
    ] = None,
    as_given: Annotated[
        bool | None,
        typer.Option("--as-given/--sorted", help="Keep the order of the files instead of sorting by recorded_at."),
    ] = None,
    rules: RulesOption = None,
    config: ConfigOption = None,
    time_zone: ZoneOption = None,
    tables: TablesOption = None,
    source: SourceOption = None,
) -> None:
    """Replay files through the monitor; notices as NDJSON on stdout, progress and refusals on stderr."""
    flags = {"until": _instant(until, "--until"), "final": final, "as_given": as_given}
    settings = _settings(config, **flags, time_zone=time_zone, rules=rules, tables=tables, source=source)
    service = Service(settings)
    report = Report()
    events = service.events(files, report)
    with service.replaying(settings.until) as replaying, Progress(report) as progress:
        told = replaying.run(progress.watch(events if settings.as_given else service.sorted(events)))
        if settings.final:
            for _ in told:
                pass
            write(replaying.standing())
        else:
            write(told)
        report.dead_letters.update(replaying.dead_letters)
        report.became.update(replaying.ward.counts)
        report.unmapped.update(replaying.ward.unmapped)
    report.say(sys.stderr)
    _end(report)


@app.command()
def translate(
    files: Files,
    config: ConfigOption = None,
    time_zone: ZoneOption = None,
    tables: TablesOption = None,
    source: SourceOption = None,
) -> None:
    """Translate HL7 v2 and FHIR to events: NDJSON on stdout; refusals as NDJSON on stderr."""
    service = Service(_settings(config, time_zone=time_zone, tables=tables, source=source))
    report = Report()
    write(service.events(files, report))
    _end(report)


@app.command()
def explain(
    files: Files,
    patient: Annotated[str | None, typer.Option("--patient", help="The patient's identity, as in the events.")] = None,
    rule: Annotated[str | None, typer.Option("--rule", help="Only this rule, e.g. HEP-02.")] = None,
    at: Annotated[str | None, typer.Option("--at", help="The instant asked about; else after the last event.")] = None,
    as_json: Annotated[
        bool | None, typer.Option("--json/--text", help="One JSON object a rule instead of text.")
    ] = None,
    rules: RulesOption = None,
    config: ConfigOption = None,
    time_zone: ZoneOption = None,
    tables: TablesOption = None,
    source: SourceOption = None,
) -> None:
    """Say why there is an alert, and why there is none: each condition with value, limit and distance."""
    asked = load(ExplainSettings, config, patient=patient, rule=rule, at=_instant(at, "--at"), as_json=as_json)
    if asked.patient is None:
        raise SettingsError("setting patient: whose chart? Name it by --patient, as in the events")
    if asked.rule is not None and asked.rule not in {r.id for r in RULES}:
        raise SettingsError(f"setting rule: unknown rule; known: {', '.join(r.id for r in RULES)}")
    service = Service(_settings(config, time_zone=time_zone, rules=rules, tables=tables, source=source))
    report = Report()
    found = service.explain(service.events(files, report), asked.patient, asked.rule, asked.at)
    if found is None:
        typer.echo("no event of this patient is in the files (up to that instant)", err=True)
        raise typer.Exit(1)
    if asked.as_json:
        write(found)
    else:
        typer.echo("\n\n".join(in_words(one) for one in found))
    _end(report)


@app.command()
def simulate(
    form: Annotated[str | None, typer.Option("--format", help="events (default), hl7v2 or fhir.")] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", help="The same seed and options give the same messages.")
    ] = None,
    patients: Annotated[int | None, typer.Option("--patients", help="Courses, obstetric and general (200).")] = None,
    days: Annotated[int | None, typer.Option("--days", help="Days from --start on (365).")] = None,
    start: Annotated[str | None, typer.Option("--start", help="The first day, YYYY-MM-DD (2026-01-05).")] = None,
    run_in: Annotated[
        int | None, typer.Option("--run-in", help="Courses began up to so many days earlier (300).")
    ] = None,
    rate: Annotated[float | None, typer.Option("--rate", help="Messages a second; 0: as fast as possible.")] = None,
    mix: Annotated[str | None, typer.Option("--mix", help="courses, or hospital: its whole traffic as well.")] = None,
    messages: Annotated[int | None, typer.Option("--messages", help="A weekday's of --mix hospital (219564).")] = None,
    enrich: Annotated[float | None, typer.Option("--enrich", help="What is rare is so many times as frequent.")] = None,
    late: Annotated[float | None, typer.Option("--late", help="Share (0 to 1) of messages out of order.")] = None,
    duplicated: Annotated[float | None, typer.Option("--duplicated", help="Share of messages.")] = None,
    corrected: Annotated[float | None, typer.Option("--corrected", help="Share of laboratory reports.")] = None,
    cancelled: Annotated[float | None, typer.Option("--cancelled", help="Share of reports and doses.")] = None,
    merged: Annotated[float | None, typer.Option("--merged", help="Share of patients.")] = None,
    unmerged: Annotated[float | None, typer.Option("--unmerged", help="Share of patients.")] = None,
    truth: Annotated[Path | None, typer.Option("--truth", help="Write what is true as NDJSON to this file.")] = None,
    config: ConfigOption = None,
    time_zone: ZoneOption = None,
) -> None:
    """Simulate a population with known truth: messages on stdout, what was written on stderr."""
    from streams.simulate.run import to_stdout  # noqa: PLC0415 - only this command

    course = {"seed": seed, "patients": patients, "days": days, "start": start, "run_in": run_in, "enrich": enrich}
    traffic = {"format": form, "rate": rate, "mix": mix, "messages": messages, "truth": truth}
    wrong = {"late": late, "duplicated": duplicated, "corrected": corrected, "cancelled": cancelled}
    asked = load(SimulateSettings, config, **course, **traffic, **wrong, merged=merged, unmerged=unmerged)
    options = asked.options(_settings(config, time_zone=time_zone).site.time_zone)
    try:
        tally = to_stdout(options, asked.format, rate=asked.rate, truth=asked.truth)
    except KeyboardInterrupt:
        raise typer.Exit(0) from None
    typer.echo(tally, err=True)


@app.command()
def schema(folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder to write to; made if missing.")]) -> None:
    """Write the JSON Schema of each event and notice, and the AsyncAPI 3.0 document."""
    from streams.schema_documents import write_documents  # noqa: PLC0415 - only this command needs it

    for path in write_documents(folder):
        typer.echo(path)


@rules_app.command("list")
def rules_list(rules: RulesOption = None) -> None:
    """List the rules."""
    pack = _pack(rules)
    typer.echo(f"rule pack {pack.version}  sha256 {pack.sha256}")
    for rule_id, text in pack.rules.items():
        typer.echo(f"{rule_id:<7} {text.priority:<4} {text.severity:<8} {text.mode:<6} {text.title}")


@rules_app.command("show")
def rules_show(
    rule_id: Annotated[str, typer.Argument(metavar="ID", help="e.g. HEP-02")], rules: RulesOption = None
) -> None:
    """Show a rule: its sentence, limits, citations and flags."""
    pack = _pack(rules)
    text = pack.rules.get(rule_id)
    if text is None:
        _fail(f"unknown rule {rule_id}; known: {', '.join(pack.rules)}")
    typer.echo(f"{rule_id}  {text.title}\n\n{text.sentence}\n")
    for name in ("severity", "priority", "delivery", "mode", "scope", "closes", "suppression", "evidence", "strength"):
        typer.echo(f"{name + ':':<13}{getattr(text, name)}")
    superseded_by = next((r.superseded_by for r in RULES if r.id == rule_id), ())
    if superseded_by:
        typer.echo(f"{'superseded by:':<13} {', '.join(superseded_by)}")
    if text.reason:
        typer.echo(f"changed by the site: {text.reason}")
    typer.echo("\nlimits:")
    for name, limit in text.limits.items():
        typer.echo(f"  {name} = {limit.value} {limit.unit}  ({limit.name})\n    [{limit.flag}] {limit.citation}")
        if limit.reason:
            typer.echo(f"    changed by the site: {limit.reason}")


@rules_app.command("check")
def rules_check(file: Annotated[Path, typer.Argument(help="The site's TOML file of overrides, or its pack.")]) -> None:
    """Check a site's overrides, or its own pack; exit status 1 if they cannot be used."""
    try:
        pack = packaged_pack(file)
    except RulePackError as error:
        typer.echo(error, err=True)
        raise typer.Exit(1) from None
    typer.echo(f"ok: rule pack {pack.version}  sha256 {pack.sha256}")


def _fail(message: str) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(2)


def _settings(config: Path | None, **flags: object) -> Settings:
    return load_settings(config, **flags)


def _pack(site: Path | None) -> RulePack:
    return packaged_pack(site)


def _end(report: Report) -> None:
    if report.all_refused:
        typer.echo("trabecula: every message was refused; the reasons are above", err=True)
    if report.unreadable or report.all_refused:
        raise typer.Exit(2)


_TO_PUT_RIGHT: Final = (SettingsError, RulePackError, TableError, UnreadableError)


def main() -> None:
    """Run the command line; what a user can put right is said in one line."""
    try:
        app()
    except _TO_PUT_RIGHT as error:
        typer.echo(f"trabecula: {error}", err=True)
        sys.exit(2)
    except BrokenPipeError:  # the reader of our output has seen enough
        sys.stderr.close()
        sys.exit(0)


if __name__ == "__main__":
    main()
