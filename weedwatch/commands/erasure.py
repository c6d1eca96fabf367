"""Erasure: of one record, or of all records of a person."""

import sys
from typing import Annotated

import typer

from weedwatch.commands.common import Json, Yes, connect
from weedwatch.commands.talk import show, show_json
from weedwatch.types import Certificate


def erase(
    request_id: Annotated[str | None, typer.Argument(help="Of the record.")] = None,
    subject: Annotated[
        str | None, typer.Option(help="Of whom all records go: their subject, or the owner of the keys.")
    ] = None,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Remove a record, or all records of a person, for good, and print the certificate."""
    if (request_id is None) == (subject is None):
        raise typer.BadParameter("name a request id, or --subject")
    what = f"record {request_id}" if request_id else f"all records of {subject}"
    if not yes and sys.stdin.isatty():
        typer.confirm(f"Erase {what}, with their pictures? They cannot be had again.", abort=True)
    with connect() as weeds:
        found = weeds.erase(request_id) if request_id else weeds.erase_subject(subject)
    if as_json:
        show_json(found.as_json())
    else:
        show(told(found))


def told(certificate: Certificate) -> str:
    counted = [f"{count} {kind.replace('_', ' ')}" for kind, count in certificate.removed.items() if count]
    return (
        f"Erased: {', '.join(counted) or 'nothing was found'}.\n"
        f"Certificate {certificate.id}, row {certificate.audit_row} of the audit.\n{certificate.remains}"
    )
