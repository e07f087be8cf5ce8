"""Back-up and restore of tables against a real storage service: every type and size, and everything that goes wrong."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import re
import shutil
import stat
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio
from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError
from azure.data.tables import EdmType, EntityProperty
from azure.data.tables.aio import TableClient, TableServiceClient

from shared import backup as command
from shared.errors import Conflict, InvalidInput, Unavailable
from shared.microsoft.identity import hosting_credential
from shared.microsoft.transport import open_azure
from shared.settings import StorageSettings
from shared.store import backup, backup_files
from shared.store.backup import Backup
from shared.store.connect import failures_told, open_tables

pytestmark = pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")
ODD = "Ä'ö %20 日本 &=+,;@ 🙂"
"""A key with everything that a URL, a quote and a sort may stumble over."""
ROWS: dict[str, list[dict[str, Any]]] = {
    "Kinds": [
        {
            "PartitionKey": "p",
            "RowKey": ODD,
            "text": 'ümlaut "quoted" \ud83d\ude42 \x07 line\nend',
            "empty": "",
            "truth": True,
            "lie": False,
            "int32": -(2**31),
            "int64": EntityProperty(2**53 + 1, EdmType.INT64),
            "small64": EntityProperty(5, EdmType.INT64),
            "double": 0.1,
            "whole": 5.0,
            "huge": 1e300,
            "infinite": float("-inf"),
            "binary": bytes(range(256)),
            "nothing": b"",
            "guid": UUID("12345678-1234-5678-1234-567812345678"),
            "time": datetime(2026, 2, 28, 23, 59, 59, 999999, tzinfo=UTC),
            "finest": EntityProperty("2026-02-28T23:59:59.1234567Z", EdmType.DATETIME),
        },
        {"PartitionKey": ODD, "RowKey": ""},
    ],
    # Near 1 MiB each in JSON, which is what Azurite measures: a transaction takes three of them.
    "Large": [
        {"PartitionKey": "p", "RowKey": f"{n}"} | {f"c{part:02d}": os.urandom(60_000) for part in range(12)}
        for n in range(5)
    ],
    "Many": [{"PartitionKey": f"p{n % 7}", "RowKey": f"{n:05d}", "n": n} for n in range(403)],
    "Nothing": [],
}


@pytest_asyncio.fixture
async def service(quiet_storage: str) -> AsyncIterator[TableServiceClient]:
    """An empty account."""
    async with TableServiceClient.from_connection_string(quiet_storage) as client:
        await wipe(client)
        yield client
        await wipe(client)


async def wipe(service: TableServiceClient) -> None:
    for name in [table.name async for table in service.list_tables()]:
        await service.delete_table(name)


async def fill(service: TableServiceClient) -> None:
    for name, rows in ROWS.items():
        table = await service.create_table(name)
        for row in rows[:20]:
            await table.create_entity(row)
        for first in range(7):
            some = [row for row in rows[20:] if row["PartitionKey"] == f"p{first}"]
            for begin in range(0, len(some), 100):
                await table.submit_transaction([("create", row) for row in some[begin : begin + 100]])


async def content(service: TableServiceClient) -> dict[str, list[dict[str, Any]]]:
    """Every row as the SDK gives it; with the service's own text of a time."""
    found: dict[str, list[dict[str, Any]]] = {}
    async for table in service.list_tables():
        rows = [row async for row in service.get_table_client(table.name).list_entities()]
        found[table.name] = [{k: getattr(v, "tables_service_value", v) for k, v in row.items()} for row in rows]
    return found


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def master(quiet_storage: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backup of ROWS, whose account was wiped."""
    folder = tmp_path_factory.mktemp("master") / "kept"
    async with TableServiceClient.from_connection_string(quiet_storage) as service:
        await wipe(service)
        await fill(service)
        await Backup(service, print).export(folder)
        await wipe(service)
    return folder


@pytest.fixture
def kept(master: Path, tmp_path: Path) -> Path:
    """One's own copy of that backup."""
    return shutil.copytree(master, tmp_path / "kept")


async def test_what_is_restored_is_what_was_exported_to_the_last_type(
    service: TableServiceClient, tmp_path: Path
) -> None:
    await fill(service)
    before = await content(service)
    folder = tmp_path / "kept"
    manifest, _ = await Backup(service, print).export(folder)
    assert {name: table.rows for name, table in manifest.tables.items()} == {n: len(r) for n, r in ROWS.items()}
    await wipe(service)
    await Backup(service, print).restore(folder)
    after = await content(service)
    assert after.pop(backup.MARK) == []
    assert after == before
    kinds = {row["RowKey"]: row for row in after["Kinds"]}[ODD]
    assert kinds["int64"] == EntityProperty(2**53 + 1, EdmType.INT64)
    assert kinds["small64"] == EntityProperty(5, EdmType.INT64)
    assert isinstance(kinds["whole"], float)
    assert kinds["finest"] == "2026-02-28T23:59:59.1234567Z"
    # The same rows are the same files, whatever table they were read from.
    again, _ = await Backup(service, print).export(tmp_path / "again")
    assert again.tables == manifest.tables
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


async def test_a_backup_needs_a_folder_of_its_own(service: TableServiceClient, kept: Path) -> None:
    with pytest.raises(InvalidInput, match="is not empty"):
        await Backup(service, print).export(kept)


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def other_rows(path: Path) -> None:
    """As many rows, one of them changed by hand; and the manifest's checksum of the file made to fit."""
    rows = gzip.decompress(path.read_bytes()).replace(b'"n":7,', b'"n":8,').replace(b'"n":7}', b'"n":8}')
    path.write_bytes(gzip.compress(rows))
    manifest(path.parent, lambda found: found["tables"]["Many"].update(sha256=backup_files._sha256(path)))


def manifest(folder: Path, change: Any) -> None:
    path = folder / "manifest.json"
    found = json.loads(path.read_text())
    change(found)
    path.write_text(json.dumps(found))


DAMAGE: dict[str, tuple[Any, str]] = {
    "a bit": (lambda f: flip(f / "Many.jsonl.gz"), "Many.jsonl.gz is not the file that was written"),
    "an end": (lambda f: cut(f / "Large.jsonl.gz"), "Large.jsonl.gz is not the file that was written"),
    "a file": (lambda f: (f / "Kinds.jsonl.gz").unlink(), "Kinds.jsonl.gz is missing"),
    "a row": (lambda f: other_rows(f / "Many.jsonl.gz"), "or other ones"),
    "no manifest": (lambda f: (f / "manifest.json").unlink(), "no whole backup"),
    "half a manifest": (lambda f: cut(f / "manifest.json"), "manifest.json is damaged"),
    "a count": (lambda f: manifest(f, lambda m: m["tables"]["Many"].update(rows=402)), "403 rows and its manifest 402"),
    "another format": (lambda f: manifest(f, lambda m: m.update(format=2)), "format 2, and this version"),
    "a newer version": (lambda f: manifest(f, lambda m: m.update(version="99.0.1")), "Restore it with 99.0.1"),
    "a path": (lambda f: manifest(f, lambda m: m.update(tables={"../x": m["tables"]["Many"]})), "no table '../x'"),
    "no table": (lambda f: manifest(f, lambda m: m.update(tables=[])), "manifest.json is damaged"),
}


@pytest.mark.parametrize("harm", DAMAGE)
async def test_a_damaged_backup_writes_nothing(service: TableServiceClient, kept: Path, harm: str) -> None:
    do, words = DAMAGE[harm]
    do(kept)
    with pytest.raises(InvalidInput, match=words):
        await Backup(service, print).restore(kept)
    assert await content(service) == {}


async def test_an_account_that_is_not_empty_is_left_alone_unless_it_is_to_be_replaced(
    service: TableServiceClient, kept: Path
) -> None:
    other = await service.create_table("Others")
    await other.create_entity({"PartitionKey": "p", "RowKey": "r"})
    with pytest.raises(Conflict, match="rows in Others"):
        await Backup(service, print).restore(kept)
    assert [*await content(service)] == ["Others"]
    await Backup(service, print).restore(kept, replace=True)
    after = await content(service)
    assert after["Others"] == []
    assert len(after["Many"]) == 403
    # A second time it is an account that is not empty, and replaced by the same.
    with pytest.raises(Conflict, match="Kinds, Large, Many"):
        await Backup(service, print).restore(kept)
    await Backup(service, print).restore(kept, replace=True)
    assert await content(service) == after


async def test_a_restore_that_is_killed_again_and_again_goes_on_where_it_was(
    service: TableServiceClient, kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = 0

    def mortal(method: Any) -> Any:
        async def call(client: TableClient, *args: Any, **options: Any) -> Any:
            nonlocal left
            left -= 1
            if left < 0:
                raise AzureError("killed")
            return await method(client, *args, **options)

        return call

    for name in ("upsert_entity", "submit_transaction", "delete_entity"):
        monkeypatch.setattr(TableClient, name, mortal(getattr(TableClient, name)))
    deaths = 0
    for budget in (1, 2, 4, 8, 16, 32):
        left = budget
        try:
            await Backup(service, print).restore(kept)
            break
        except AzureError:
            deaths += 1
    assert deaths >= 4
    assert left > 0
    left = 1000
    again, _ = await Backup(service, print).export(tmp_path / "again")
    assert again.tables == backup.check(kept)[0].tables


async def test_what_a_restore_left_half_done_is_neither_exported_nor_mixed_with_another_backup(
    service: TableServiceClient, kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other"
    await Backup(service, print).export(other)
    with monkeypatch.context() as patch:
        patch.setattr(backup, "_send", refused)
        with pytest.raises(AzureError):
            await Backup(service, print).restore(kept)
    with pytest.raises(Conflict, match="another backup"):
        await Backup(service, print).restore(other)
    half = tmp_path / "half"
    with pytest.raises(Conflict, match="holds a part of a backup"):
        await Backup(service, print).export(half)
    assert not half.exists()
    await Backup(service, print).restore(other, replace=True)
    assert not any((await content(service)).values())


async def refused(*_: Any) -> None:
    raise AzureError("killed")


async def test_what_the_application_writes_meanwhile_is_told(
    service: TableServiceClient, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    send = backup._send

    async def beside(client: TableClient, batch: list[dict[str, Any]]) -> None:
        await send(client, batch)
        if client.table_name == "Kinds":
            await client.upsert_entity({"PartitionKey": "p", "RowKey": "timer"})

    monkeypatch.setattr(backup, "_send", beside)
    with pytest.raises(Conflict, match="Kinds has 3 rows, the backup 2"):
        await Backup(service, print).restore(kept)


async def test_a_long_table_is_read_in_pages_of_few_bytes(
    service: TableServiceClient, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await Backup(service, print).restore(kept)
    pages: list[tuple[str, int]] = []
    listed = TableClient.list_entities

    def seen(client: TableClient, **options: Any) -> Any:
        pages.append((client.table_name, options["results_per_page"]))
        return listed(client, **options)

    monkeypatch.setattr(TableClient, "list_entities", seen)
    monkeypatch.setattr(backup, "FIRST_PAGE", 2)
    assert len([line async for line in Backup(service, print)._lines("Large")]) == 5
    assert len([line async for line in Backup(service, print)._lines("Many")]) == 403
    assert pages == [("Large", 2), ("Large", 4), ("Many", 2), ("Many", 1000)]


def shape(text: str) -> str:
    """Without its numbers and checksums."""
    return re.sub(r"\d+", "#", re.sub(r"[0-9a-f]{64}\.|[0-9a-f]{6}\.\.\.", "<hash>", text))


async def told(capsys: pytest.CaptureFixture[str], settings: StorageSettings, *words: str) -> str:
    await command.run(command.parser().parse_args(words), settings)
    return capsys.readouterr().out


async def test_the_command_exports_checks_and_restores(
    service: TableServiceClient, quiet_storage: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = StorageSettings(AzureWebJobsStorage=quiet_storage)
    folder = str(tmp_path / "kept")
    table = await service.create_table("Others")
    await table.create_entity({"PartitionKey": "p", "RowKey": "r"})
    printed = said = await told(capsys, settings, "export", folder)
    assert "Others: 1 rows" in said
    assert "Exported 1 rows of 1 tables of devstoreaccount1" in said
    printed += await told(capsys, settings, "check", folder)
    assert f"{folder} is whole: 1 rows" in printed
    with pytest.raises(InvalidInput, match="The account is devstoreaccount1, not production"):
        await told(capsys, settings, "restore", folder, "--replace", "production")
    said = await told(capsys, settings, "restore", folder, "--replace", "devstoreaccount1")
    assert "Others: 1 rows deleted" in said
    assert "Restored 1 rows" in said
    # The page shows what is printed: names, numbers and checksums aside.
    page = shape((Path(__file__).parents[2] / "docs" / "backup.md").read_text())
    printed = printed.replace(folder, "~/backups/2026-11-30") + said.partition("deleted\n")[2]
    lines = {shape(line.replace("devstoreaccount1", "<account>")) for line in printed.splitlines()}
    assert len(lines) == 6
    assert {line for line in lines if line not in page} == {"Others: # rows"}
    assert "Devices: # rows" in page
    with pytest.raises(InvalidInput, match="Set AzureWebJobsStorage"):
        await told(capsys, StorageSettings(AzureWebJobsStorage="", AzureWebJobsStorage__accountName=""), "export", "x")


@pytest.mark.filterwarnings("ignore:Testing an element's truth value:DeprecationWarning")  # by the SDK's own code
async def test_what_the_account_refuses_is_told_in_a_line(
    quiet_storage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AzureWebJobsStorage", re.sub("AccountKey=....", "AccountKey=AAAA", quiet_storage))
    monkeypatch.setattr(sys, "argv", ["backup", "export", str(tmp_path / "kept")])
    with pytest.raises(SystemExit, match=r"The storage account refuses: .*connection string in AzureWebJobsStorage"):
        await asyncio.to_thread(command.main)
    monkeypatch.setenv("AzureWebJobsStorage", "AccountName=x")
    with pytest.raises(SystemExit, match=r"AzureWebJobsStorage is no connection string.*: .*missing"):
        await asyncio.to_thread(command.main)


def test_without_a_sign_in_it_is_said_how_to_sign_in() -> None:
    by_name = StorageSettings(AzureWebJobsStorage="", AzureWebJobsStorage__accountName="x")
    with pytest.raises(Unavailable, match=r"Nobody is signed in: No CLI\. Run az login"), failures_told(by_name):
        raise ClientAuthenticationError("No CLI.\nNo identity.")
    with pytest.raises(Unavailable, match=r"refuses: Forbidden\. .*Storage Table Data"), failures_told(by_name):
        raise HttpResponseError("Forbidden.")


@pytest.mark.parametrize("name", ["file", "file/below"])
async def test_a_folder_that_can_be_none_is_told_in_a_line(
    quiet_storage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("AzureWebJobsStorage", quiet_storage)
    for verb in ("export", "check"):
        monkeypatch.setattr(sys, "argv", ["backup", verb, str(tmp_path / name)])
        with pytest.raises(SystemExit, match=r"^(Not a directory|File exists): .*file"):
            await asyncio.to_thread(command.main)


async def test_a_setting_that_is_wrong_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_CLOUD", "AzureMoon")
    monkeypatch.setattr(sys, "argv", ["backup", "export", "x"])
    with pytest.raises(SystemExit, match="AZURE_CLOUD must be one of AzureCloud"):
        await asyncio.to_thread(command.main)


@pytest.mark.parametrize("identity", ["", "11111111-1111-1111-1111-111111111111"])
async def test_an_account_is_reached_by_its_name_in_its_cloud(identity: str) -> None:
    settings = StorageSettings(
        AzureWebJobsStorage="",
        AzureWebJobsStorage__accountName="tenantry",
        azure_cloud="AzureUSGovernment",
        managed_identity_client_id=identity,
    )
    transport, session = open_azure({})
    credential = hosting_credential(settings, transport)
    async with session, credential, open_tables(settings, credential, transport) as service:
        assert service.url == "https://tenantry.table.core.usgovcloudapi.net"
        assert Backup(service, print).account == "tenantry"
