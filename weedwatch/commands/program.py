"""The whole program: every command, and how it ends.

Exit codes: 0 done, 1 our bug or an audit that does not hold, 2 wrong usage, 3 refused, 4 not found, 5 not reached or
not ready, 6 worth another try later, 7 less sure than asked for, 130 interrupted.
"""

import os
import sys
import tempfile
import traceback
from typing import Annotated

import typer

from weedwatch.commands import audit, backups, erasure, keys, models, photos, service, sightings
from weedwatch.commands.common import Code, code_of, flags, sentence_of
from weedwatch.errors import WeedwatchError

app = typer.Typer(
    help="Ask Weedwatch, and say which model answers.", no_args_is_help=True, pretty_exceptions_enable=False
)
app.command()(photos.predict)
for each in (service.status, service.open_page, service.api, service.errors, keys.whoami):
    app.command({"open_page": "open"}.get(each.__name__, each.__name__))(each)
app.add_typer(models.app, name="models")
app.add_typer(sightings.app, name="sightings")
app.add_typer(keys.app, name="keys")
app.command()(erasure.erase)
app.add_typer(audit.app, name="audit")
for beside in (backups.backup, backups.restore):
    app.command(context_settings=backups.PLAIN, add_help_option=False)(beside)
app.add_typer(service.config, name="config")


@app.callback()
def _settings(
    url: Annotated[str | None, typer.Option(help="Address of the service.")] = None,
    token_file: Annotated[str | None, typer.Option(help="File with the admin token.")] = None,
    api_key_file: Annotated[str | None, typer.Option(help="File with the API key; or WEEDWATCH_API_KEY.")] = None,
    timeout_seconds: Annotated[str | None, typer.Option(help="How long to wait while nothing moves.")] = None,
) -> None:
    flags.set({"url": url, "token_file": token_file, "api_key_file": api_key_file, "timeout_seconds": timeout_seconds})


def main() -> int:
    """Run one command; every error becomes a sentence and an exit code."""
    try:
        returned = app(standalone_mode=False)  # the code of typer.Exit, else None
        sys.stdout.flush()
        if returned == Code.INTERRUPTED:
            os._exit(Code.INTERRUPTED)  # whatever thread still waits for an answer
        return returned if isinstance(returned, int) else Code.DONE
    except typer.Abort:
        return Code.INTERRUPTED
    except KeyboardInterrupt:
        os._exit(Code.INTERRUPTED)  # as above
    except BrokenPipeError:  # whoever read has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Code.DONE
    except (WeedwatchError, OSError) as error:
        return _fail(sentence_of(error), code_of(error))
    except Exception as error:
        if not hasattr(error, "exit_code") or not hasattr(error, "show"):
            return _fail(f"This is a bug of ours: {error!r}. The report is in {_report()}.", Code.OUR_BUG)
        error.show()  # wrong usage; typer knows how to say it
        return int(error.exit_code)


def _report() -> str:
    with tempfile.NamedTemporaryFile("w", prefix="weedwatch-", suffix=".txt", delete=False) as report:
        report.write(f"{sys.version}\n{' '.join(sys.argv)}\n\n{traceback.format_exc()}")
    return report.name


def _fail(sentence: str, code: Code) -> int:
    print(sentence, file=sys.stderr)
    return code
