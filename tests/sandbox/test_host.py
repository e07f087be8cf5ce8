"""The Functions host stand-in, with a small function app of its own."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import sys
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from azure.core.exceptions import ResourceExistsError
from azure.storage.queue import TextBase64EncodePolicy
from azure.storage.queue.aio import QueueClient, QueueServiceClient

from sandbox.environment import write_local_settings
from sandbox.host import Host
from sandbox.host import __main__ as command
from sandbox.host.http import pattern
from sandbox.host.index import HostJson, IndexingError, functions_of, span
from sandbox.host.timers import next_time

APP = Path(__file__).parent / "host_app"
SETTINGS = {
    "TICK": "0 0 3 * * *",
    "HOST_TIMERS": "off",
    "HOST_QUEUE_LEASE": "1",
    "HOST_POLL_SECONDS": "0.2",
}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def small(azurite: str) -> AsyncIterator[Host]:
    """A host that runs the small app."""
    running = Host(0, {**SETTINGS, "AzureWebJobsStorage": azurite}, directory=APP, composition=None)
    await running.start()
    yield running
    await running.stop()


@pytest_asyncio.fixture
async def client(small: Host) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=small.url) as made:
        yield made


@pytest_asyncio.fixture
async def queue(small: Host, azurite: str) -> AsyncIterator[QueueClient]:
    """The queue `work`, empty, as a program that sends base64 sees it."""
    async with QueueClient.from_connection_string(
        azurite, "work", message_encode_policy=TextBase64EncodePolicy()
    ) as made:
        async with QueueServiceClient.from_connection_string(azurite) as service:
            for name in ("work", "work-poison"):
                try:
                    await service.create_queue(name)
                except ResourceExistsError:
                    await service.get_queue_client(name).clear_messages()
        module = app_module()
        module.seen.clear()
        module.gate.clear()
        module.at_once.update(now=0, most=0)
        yield made
        module.gate.set()
        assert await small.settle(10, delayed=True)


def app_module() -> Any:
    """The module of the small app, as the host imported it."""
    return next(m for name, m in sys.modules.items() if name.startswith("function_app_") and hasattr(m, "at_once"))


async def until(condition: Callable[[], bool], seconds: float = 10) -> None:
    """Wait for what the host does in its own time."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)


async def test_a_request_reaches_its_function_as_the_worker_would_give_it(client: httpx.AsyncClient) -> None:
    answer = await client.post(
        "/api/Echo/a%2Fb/7?x=1&x=2&empty=", content="body", headers=[("accept", "a/b"), ("accept", "c/d")]
    )
    body = answer.json()
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    assert (answer.headers["set-cookie"], answer.headers["x-answer"]) == ("a=1", "yes")
    assert body["method"] == "POST"
    assert body["url"].endswith("/api/Echo/a%2Fb/7?x=1&x=2&empty=")
    assert body["params"] == {"x": "1,2", "empty": ""}
    assert body["route"] == {"word": "a/b", "number": "7"}
    assert body["accept"] == "a/b,c/d"
    assert body["body"] == "body"
    assert body["function"] == "echo"


async def test_a_method_that_is_not_bound_is_not_found(client: httpx.AsyncClient) -> None:
    for method in ("OPTIONS", "DELETE"):
        answer = await client.request(method, "/api/echo/word")
        assert (answer.status_code, answer.content) == (404, b"")


async def test_a_path_outside_the_prefix_is_a_bare_404(client: httpx.AsyncClient) -> None:
    answer = await client.get("/nowhere")
    assert (answer.status_code, answer.content) == (404, b"")


async def test_routes_are_matched_in_the_order_of_function_names(client: httpx.AsyncClient) -> None:
    assert (await client.get("/api/plain")).text == "plain text"
    answer = await client.get("/api/some/where/else")
    assert (answer.status_code, answer.text) == (404, "some/where/else")
    assert (await client.get("/api")).text == ""


async def test_an_unhandled_error_is_a_bare_500(client: httpx.AsyncClient) -> None:
    answer = await client.get("/api/fail")
    assert (answer.status_code, answer.content) == (500, b"")


async def test_the_admin_api_lists_functions_and_tells_the_state(small: Host, client: httpx.AsyncClient) -> None:
    listed = {row["name"]: row for row in (await client.get("/admin/functions")).json()}
    assert set(listed) == {"echo", "fail", "plain", "tick", "work", "work_poison", "zz_rest"}
    assert listed["plain"]["invoke_url_template"] == f"{small.url}/api/plain"
    assert listed["work"]["config"]["bindings"][0]["queueName"] == "work"
    assert (await client.get("/admin/functions/TICK")).json()["name"] == "tick"
    assert (await client.get("/admin/host/status")).json()["state"] == "Running"
    assert (await client.get("/admin/nothing")).status_code == 404
    assert (await client.get("/")).status_code == 200


async def test_a_timer_runs_when_the_admin_api_says_so(
    client: httpx.AsyncClient, queue: QueueClient, small: Host
) -> None:
    answer = await client.post("/admin/functions/tick", json={"input": ""})
    assert answer.status_code == 202
    assert await small.settle(5)
    assert app_module().seen["tick"] == [False]


async def test_the_admin_input_of_a_queue_function_is_its_message(
    client: httpx.AsyncClient, queue: QueueClient, small: Host
) -> None:
    await client.post("/admin/functions/work", json={"input": '{"do": "ok"}'})
    assert await small.settle(5)
    assert [row["body"] for row in app_module().seen["work"]] == [b'{"do": "ok"}']


@pytest.mark.parametrize(
    "path,body,status",
    [
        ("/admin/functions/none", "{}", 404),
        ("/admin/functions/echo", "{}", 400),
        ("/admin/functions/tick", "{", 400),
        ("/admin/functions/tick", "[]", 400),
        ("/_host/clock", '{"advanceSeconds": -1}', 400),
        ("/_host/clock", "{}", 400),
    ],
)
async def test_the_host_refuses_what_it_cannot_do(client: httpx.AsyncClient, path: str, body: str, status: int) -> None:
    answer = await client.post(path, content=body)
    assert answer.status_code == status
    assert answer.json()["message"]


async def test_a_message_is_handled_once_and_deleted(queue: QueueClient, small: Host) -> None:
    await queue.send_message('{"do": "ok"}')
    assert await small.settle(10, delayed=True)
    (row,) = app_module().seen["work"]
    assert (row["body"], row["try"]) == (b'{"do": "ok"}', 1)
    assert (await queue.get_queue_properties()).approximate_message_count == 0


async def test_a_failing_message_is_tried_maxdequeuecount_times_then_poisoned(queue: QueueClient, small: Host) -> None:
    await queue.send_message('{"do": "fail"}')
    await until(lambda: bool(app_module().seen["work_poison"]))
    assert [row["try"] for row in app_module().seen["work"]] == [1, 2, 3]
    assert app_module().seen["work_poison"] == [b'{"do": "fail"}']
    assert await small.settle(10, delayed=True)


async def test_a_message_that_is_not_base64_is_poisoned_unread(azurite: str, queue: QueueClient, small: Host) -> None:
    async with QueueServiceClient.from_connection_string(azurite) as service:
        await service.get_queue_client("work").send_message("{not base64}")
        assert await small.settle(10)
        poison = service.get_queue_client("work-poison")
        # Unreadable there too, and a poison queue has no poison queue: it stays.
        assert (await poison.get_queue_properties()).approximate_message_count == 1
        await poison.clear_messages()
    assert app_module().seen["work"] == []
    assert app_module().seen["work_poison"] == []


async def test_no_more_run_at_once_than_batch_and_threshold(queue: QueueClient, small: Host) -> None:
    await asyncio.gather(*(queue.send_message('{"do": "wait"}') for _ in range(20)))
    await until(lambda: app_module().at_once["now"] >= 3)
    app_module().gate.set()
    assert await small.settle(10, delayed=True)
    assert len(app_module().seen["work"]) == 20
    assert app_module().at_once["most"] <= 4 + 2


async def test_the_lease_is_renewed_while_a_handler_runs(queue: QueueClient, small: Host) -> None:
    await queue.send_message('{"do": "wait"}')
    await until(lambda: len(app_module().seen["work"]) == 1)
    (listener,) = [each for each in small.listeners if each.queue == "work"]
    (item,) = listener.leased.values()
    first = item.renewed
    await until(lambda: item.renewed > first + 1.2)  # beyond the lease of one second
    assert len(app_module().seen["work"]) == 1
    app_module().gate.set()
    assert await small.settle(10, delayed=True)
    assert len(app_module().seen["work"]) == 1


@contextlib.asynccontextmanager
async def host_process(azurite: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """The small app under `python -m sandbox.host`: the process, which does not outlive the block, and its URL."""
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "sandbox.host", "--port", "0", "--directory", str(APP), "--composition", ""),
        env={**SETTINGS, "AzureWebJobsStorage": azurite, "PYTHONPATH": str(APP.parents[2])},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    assert child.stdout is not None
    line = ""
    try:
        async with asyncio.timeout(30):
            while "functions on http" not in line:
                line = (await child.stdout.readline()).decode()
                assert line, "the host ended"
        yield child, line.split()[-1]
    finally:
        if child.returncode is None:
            child.kill()
        await child.communicate()


async def test_a_killed_host_loses_no_message(azurite: str, queue: QueueClient, small: Host) -> None:
    (ours,) = [each for each in small.listeners if each.queue == "work"]
    await ours.stop(5)
    async with host_process(azurite) as (child, _):
        await asyncio.gather(*(queue.send_message(json.dumps({"do": "wait", "n": n})) for n in range(3)))
        async with asyncio.timeout(10):
            while await queue.peek_messages(max_messages=32):
                await asyncio.sleep(0.05)
        child.kill()
    app_module().gate.set()
    ours.start()
    await until(lambda: len({row["id"] for row in app_module().seen["work"]}) == 3)
    assert await small.settle(10, delayed=True)
    assert {row["try"] for row in app_module().seen["work"]} <= {2, 3}


async def test_sigterm_ends_the_host_cleanly(azurite: str) -> None:
    async with host_process(azurite) as (child, url):
        async with httpx.AsyncClient() as client:
            assert (await client.get(f"{url}/api/plain")).text == "plain text"
        child.terminate()
        assert await child.wait() == 0


async def test_a_missed_schedule_runs_once_at_start_and_is_past_due(azurite: str, tmp_path: Path) -> None:
    (tmp_path / "timers.json").write_text(json.dumps({"tick": "2020-01-01T00:00:00+00:00"}))
    settings = {**SETTINGS, "AzureWebJobsStorage": azurite, "HOST_TIMERS": "on", "HOST_STATE": str(tmp_path)}
    running = Host(0, settings, directory=APP, composition=None)
    await running.start()
    app_module().seen.clear()
    await until(lambda: bool(app_module().seen["tick"]))
    await until(lambda: "2020" not in (tmp_path / "timers.json").read_text())
    await running.stop()
    assert app_module().seen["tick"] == [True]


async def test_reset_empties_tables_and_queues(azurite: str, queue: QueueClient, small: Host) -> None:
    async with QueueClient.from_connection_string(azurite, "other") as other:
        await other.create_queue()
        await other.send_message(base64.b64encode(b"x").decode())
        async with httpx.AsyncClient() as client:
            assert (await client.post(f"{small.url}/_host/reset")).status_code == 200
        assert (await other.get_queue_properties()).approximate_message_count == 0


def test_settings_of_the_sandbox_are_taken_whole_from_the_file_and_give_way_to_those_of_the_environment(
    tmp_path: Path,
) -> None:
    assert command.local_port(command.local_settings(tmp_path)) == 7071
    written = {"SANDBOX_CONTROL_URL": "http://localhost:18400/_sandbox", "SSL_CERT_FILE": "sandbox.pem", "ARM_URL": "a"}
    write_local_settings(tmp_path / "local.settings.json", written, 18420)
    local = command.local_settings(tmp_path)
    assert command.local_port(local) == 18420
    shell = {"SSL_CERT_FILE": "company.pem", "ARM_URL": "mine", "FUNCTIONS_WORKER_RUNTIME": "python"}
    missing = command.missing_settings(local, shell)
    assert missing == {"SANDBOX_CONTROL_URL": written["SANDBOX_CONTROL_URL"], "SSL_CERT_FILE": "sandbox.pem"}
    # Started anew with them, and by `make demo`, which gives settings of its own.
    assert command.missing_settings(local, shell | missing) == {}
    assert command.missing_settings(local, shell | {"SANDBOX_CONTROL_URL": "http://localhost:8400/_sandbox"}) == {}


@pytest.mark.parametrize(
    "schedule,due",
    [
        ("0 */15 * * * *", "2026-01-01T00:15:00+00:00"),
        ("30 0 * * * *", "2026-01-01T00:00:30+00:00"),
        ("*/10 * * * *", "2026-01-01T00:10:00+00:00"),
        ("0 0 3 13 * 5", "2026-02-13T03:00:00+00:00"),
    ],
)
def test_ncrontab_has_seconds_first_and_means_both_days(schedule: str, due: str) -> None:
    assert next_time(schedule, datetime(2026, 1, 1, tzinfo=UTC)) == datetime.fromisoformat(due)


def test_a_schedule_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="NCRONTAB"):
        next_time("hourly", datetime(2026, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize("text,seconds", [("00:00:30", 30), ("1.02:00:00", 93600), ("00:00:00.250", 0.25)])
def test_time_spans_are_dotnet_time_spans(text: str, seconds: float) -> None:
    assert span(text) == seconds


def test_settings_override_host_json(tmp_path: Path) -> None:
    path = tmp_path / "host.json"
    path.write_text('{"version": "2.0", "extensions": {"queues": {"batchSize": 32}}}')
    read = HostJson.read(path, {"AzureFunctionsJobHost__extensions__queues__visibilityTimeout": "00:00:05"})
    assert (read.batch_size, read.new_batch_threshold, read.visibility_timeout) == (32, 16, 5)


@pytest.mark.parametrize(
    "code,message",
    [
        ("@app.timer_trigger(arg_name='timer', schedule='0 0 * * * *')\ndef f(timer, other): ...", "not bound: other"),
        ("@app.timer_trigger(arg_name='timer', schedule='0 0 * * * *')\ndef f(): ...", "not declared in Python: timer"),
        ("@app.blob_trigger(arg_name='b', path='x/y', connection='c')\ndef f(b): ...", "knows the triggers"),
    ],
)
def test_what_the_worker_refuses_is_refused(tmp_path: Path, code: str, message: str) -> None:
    (tmp_path / "function_app.py").write_text(f"import azure.functions as func\napp = func.FunctionApp()\n{code}\n")
    with pytest.raises(IndexingError, match=message):
        functions_of(tmp_path)


def test_a_folder_without_functions_is_refused(tmp_path: Path) -> None:
    with pytest.raises(IndexingError, match="does not exist"):
        functions_of(tmp_path)


@pytest.mark.parametrize(
    "template,path,values",
    [
        ("api/a/{id}", "/api/A/1", {"id": "1"}),
        ("api/a/{id}", "/api/a", None),
        ("api/{id:guid}", "/api/1", None),
        ("api/a/{*rest}", "/api/a", {"rest": None}),
        ("api/a/{*rest}", "/api/ab", None),
    ],
)
def test_route_templates(template: str, path: str, values: dict[str, str | None] | None) -> None:
    found = pattern(template).fullmatch(path)
    assert (found.groupdict() if found else None) == values


def test_an_unknown_route_constraint_is_refused() -> None:
    with pytest.raises(ValueError, match="constraint"):
        pattern("a/{id:regex}")
