"""`python -m shared.backup`: every table of the application into files, and back. docs/backup.md says how.

The account is that of the setting AzureWebJobsStorage (a connection string), or of AzureWebJobsStorage__accountName,
reached as the managed identity or as whoever is signed in (`az login`).
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
import time
from pathlib import Path

from pydantic import ValidationError

from shared import settings as settings_module
from shared.errors import InvalidInput, TenantryError
from shared.microsoft.identity import hosting_credential
from shared.microsoft.transport import open_azure
from shared.settings import StorageSettings
from shared.store import backup
from shared.store.backup_files import Manifest
from shared.store.connect import failures_told, open_tables


async def run(arguments: argparse.Namespace, settings: StorageSettings) -> None:
    """Do what was asked for. Raises TenantryError with what to do about it."""
    folder: Path = arguments.folder
    if arguments.command == "check":
        manifest, name = backup.check(folder)
        say(f"{folder} is whole: {described(manifest)}. It is {name}.")
        return
    if not settings.storage_connection and not settings.storage_account:
        raise InvalidInput("Set AzureWebJobsStorage or AzureWebJobsStorage__accountName to the account.")
    transport, session = open_azure({})
    credential = hosting_credential(settings, transport)
    async with session, credential, open_tables(settings, credential, transport, twice=True) as service:
        tables, begun = backup.Backup(service, say), time.monotonic()
        if arguments.command == "export":
            manifest, name = await tables.export(folder)
            say(f"Exported {described(manifest)}, in {time.monotonic() - begun:.0f} s. It is {name}.")
            say("It holds names of clients, devices and people: keep it as you keep a secret.")
            return
        if arguments.replace not in (None, tables.account):
            raise InvalidInput(f"The account is {tables.account}, not {arguments.replace}. Nothing was changed.")
        manifest = await tables.restore(folder, replace=arguments.replace is not None)
        say(f"Restored {described(manifest)}, in {time.monotonic() - begun:.0f} s.")
        say(f"{tables.account} holds this and nothing else: every row was read again.")


def described(manifest: Manifest) -> str:
    """A backup in a few words."""
    what = f"{manifest.rows} rows of {len(manifest.tables)} tables of {manifest.account}"
    return f"{what}, as of {manifest.begun_at:%Y-%m-%d %H:%M:%S} UTC, Tenantry {manifest.version}"


def say(text: str) -> None:
    """A line for whoever watches."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def parser() -> argparse.ArgumentParser:
    """Of the command line."""
    made = argparse.ArgumentParser(prog="python -m shared.backup", description="Back-up and restore of every table.")
    commands = made.add_subparsers(dest="command", required=True)
    texts = {
        "export": "write every table into a new folder",
        "check": "read a backup and say whether it is whole; needs no account",
        "restore": "make an empty account what a backup holds, or go on with that",
    }
    for name, text in texts.items():
        command = commands.add_parser(name, help=text, description=text)
        command.add_argument("folder", type=Path)
        if name == "restore":
            command.add_argument(
                "--replace",
                metavar="ACCOUNT",
                help="delete first what this account holds; its name stands for your word",
            )
    return made


def main() -> None:
    """Read the arguments and run; what went wrong is told on the error output, and the status is 1."""
    arguments = parser().parse_args()
    logging.getLogger("azure").setLevel(logging.ERROR)
    try:
        settings = settings_module.load_storage()
        with failures_told(settings):
            asyncio.run(run(arguments, settings))
    except TenantryError as error:
        sys.exit(error.message)
    except OSError as error:
        # Of the folder: what the account and the way to it raise are TenantryErrors by now.
        sys.exit(f"{error.strerror or error}: {error.filename or arguments.folder}")
    except ValidationError as error:
        sys.exit("; ".join(f"{row['loc'][0]}: {row['msg']}" for row in error.errors()))


if __name__ == "__main__":
    main()
