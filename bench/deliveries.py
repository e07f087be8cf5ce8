"""Many alerts to three sinks, with a tenth of the receivers' answers failing and the host killed in mid delivery.

Every alert is opened and closed, told as the alerts' own code tells it; one telling in twenty is told again, as after
a crash of who told it. The receivers are a webhook, ConnectWise and Autotask, each with its own kind's concurrency;
the vendors' limits per minute are lifted (SINK_MESSAGES_PER_MINUTE, and Autotask's own count of an hour), for they
would make it take eleven hours. A request in ten is answered 429 with Retry-After, 503, not at all, or is carried out
and its answer lost. Application and sandbox live SPEED times as fast, and when nothing is left but to wait they jump to
the time waited for; so back-offs of half an hour are kept and not sat out. What counts is what the receivers have at
the end (bench/receipts.py).
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from bench import receipts
from bench.stage import HOST_SETTINGS, Stage, raised
from shared import app as composition
from shared import outbox
from shared.alerts import texts
from shared.alerts.records import Alert, Subject
from shared.app import App
from shared.errors import Unavailable
from shared.incidents.ids import alert_id
from shared.jobs import Deliver
from shared.outbox import Notice
from shared.outbox.records import HEAD, HEADS, IN_LINE, LINE, lane_of
from shared.settings import Settings

ALERTS, KILLS = 10_000, (0.3, 0.6)
"""The host is killed when these shares of all tickets are opened or closed."""
FAULTS = 0.1
SPEED = 15
BATCH, LAG = 50, 4
"""Alerts told of together, and batches after which they close again."""
AGAIN = 20
"""One batch in so many is told twice."""
KINDS = ("webhook", "connectwise", "autotask")
SITE = "bench-hq"
HOST = {k: v for k, v in HOST_SETTINGS.items() if k != "HOST_POLL_SECONDS"} | {"SINK_MESSAGES_PER_MINUTE": "1000000"}
STEP_SECONDS, WAKE_SECONDS, LOOK_SECONDS, MINUTE = 0.03, 0.5, 0.3, 60
LEAST_JUMP = timedelta(minutes=2)
PATIENCE = 900.0
"""Seconds for everything."""
IDLE_SECONDS = 0.7


class Run:
    """One measurement: the system, an application that tells, and the sinks that are told (kind -> id)."""

    def __init__(self, stage: Stage, app: App, sinks: dict[str, str], speed: float) -> None:
        self.stage, self.app, self.sinks, self.speed = stage, app, sinks, speed
        self.alerts: list[str] = []
        self.killed: list[dict[str, Any]] = []
        self.told_seconds = 0.0
        self.jumped = timedelta()
        self.memory = 0.0
        self._cpu: dict[str, float] = {}

    async def step(self, seconds: float) -> None:
        """Let time pass for application, sandbox and this process; not while there is no host."""
        with contextlib.suppress(httpx.HTTPError):
            url = f"{self.stage.system.host_url}/_host/clock"
            (await self.stage.http.post(url, json={"advanceSeconds": seconds})).raise_for_status()
            self.app.clock.advance(seconds)

    async def counts(self) -> dict[str, dict[str, Any]]:
        """What each receiver was asked, answered and has."""
        return {kind: await self.stage.control("GET", f"/receivers/{kind}/counts") for kind in self.sinks}

    async def begin_host(self) -> None:
        """Start the host, which joins the sandbox's time."""
        await self.stage.start_host(HOST)

    async def kill(self, share: float) -> None:
        """Kill the host and start it again."""
        heads = [await self.app.tables.get(HEADS, sink, HEAD) for sink in self.sinks.values()]
        leased = sum(head is not None and head.leased(self.app.clock.now()) for head in heads)
        self.look()
        for name, seconds in self.stage.cpu().items():
            if name == "host":
                self._cpu[name] = self._cpu.get(name, 0.0) + seconds
        await self.stage.kill_host()
        self.killed.append({"atShare": round(share, 2), "sinksSentTo": leased})
        await self.begin_host()

    def look(self) -> None:
        """Note the host's peak of memory."""
        self.memory = max(self.memory, self.stage.host_memory())

    def cpu(self) -> dict[str, float]:
        """Processor seconds of each process, hosts that were killed included."""
        return {name: round(spent + self._cpu.get(name, 0.0), 1) for name, spent in self.stage.cpu().items()}


async def measure(alerts: int = ALERTS, kills: Sequence[float] = KILLS, speed: float = SPEED) -> dict[str, Any]:
    """`{alerts, seconds, ... , sinks: {kind: {...}}}`: bench/receipts.py says what of each sink."""
    with tempfile.TemporaryDirectory() as state:
        async with raised(Path(state)) as stage, _telling(stage) as app:
            await stage.start_host(HOST)
            await stage.sign_in()
            run = Run(stage, app, await _add_sinks(stage), speed)
            for kind in KINDS:
                fault = {"kind": "mixed", "probability": FAULTS}
                more = {"threshold": 10**9} if kind == "autotask" else {}
                await stage.control("PUT", f"/receivers/{kind}", json=fault | more)
            began, clock = time.perf_counter(), app.clock.now()
            async with asyncio.timeout(PATIENCE):
                await _all(run, alerts, kills)
            seconds, lived = time.perf_counter() - began, app.clock.now() - clock
            run.look()
            return {
                "alerts": alerts,
                "killed": run.killed,
                "seconds": round(seconds, 1),
                "toldSeconds": round(run.told_seconds, 1),
                "clockMinutes": round(lived / timedelta(minutes=1), 1),
                "jumpedMinutes": round(run.jumped / timedelta(minutes=1), 1),
                "perSecond": round(2 * alerts * len(KINDS) / seconds),
                "hostPeakMiB": round(run.memory, 1),
                "cpu": run.cpu(),
                "sinks": await receipts.of_all(stage, app, run.sinks, run.alerts),
            }


@contextlib.asynccontextmanager
async def _telling(stage: Stage) -> AsyncIterator[App]:
    """An application of this process, on the same storage."""
    given = {name if name.startswith("Azure") else name.lower(): text for name, text in stage.settings().items()}
    app = composition.build(Settings.model_validate(given))
    try:
        yield app
    finally:
        await app.aclose()


async def _add_sinks(stage: Stage) -> dict[str, str]:
    """Make the three sinks by the API, and the site that their alerts are of."""
    await stage.call("PUT", f"/sites/{SITE}", json={"clientName": "Bench", "siteName": "HQ"})
    places = stage.world["receivers"]
    names = {
        "webhook": ("url", "secret"),
        "connectwise": ("url", "company", "publicKey", "privateKey", "clientId", "boardId"),
        "autotask": ("url", "username", "secret", "integrationCode", "queueId"),
    }
    made = {}
    for kind in KINDS:
        settings: dict[str, Any] = {name: places[kind][name] for name in names[kind]}
        if "companies" in places[kind]:
            company = max(places[kind]["companies"], key=int)
            settings["companies"] = [{"siteId": SITE, "companyId": company}]
        body = {"kind": kind, "name": kind, "settings": settings}
        made[kind] = str((await stage.call("POST", "/sinks", json=body))["id"])
    return made


async def _all(run: Run, alerts: int, kills: Sequence[float]) -> None:
    """Tell, deliver, kill, and return when everything has arrived and nothing waits any more."""
    async with asyncio.TaskGroup() as group:
        helpers = [group.create_task(helper(run)) for helper in (_pace, _tick, _wake)]
        telling = group.create_task(_tell(run, alerts))
        left, before, since = list(kills), -1, time.monotonic()
        while True:
            counts = await run.counts()
            share = sum(_done(row) for row in counts.values()) / (2 * alerts * len(run.sinks))
            if left and share >= left[0]:
                await run.kill(share)
                left.pop(0)
            run.look()
            asked = sum(row["requests"] for row in counts.values())
            if asked != before:
                before, since = asked, time.monotonic()
            elif telling.done() and time.monotonic() - since > IDLE_SECONDS:
                if await _nothing_waits(run):
                    break
                since = time.monotonic()
            await asyncio.sleep(LOOK_SECONDS)
        for helper in helpers:
            helper.cancel()


def _done(counts: dict[str, Any]) -> int:
    tickets = counts["tickets"]
    return int(tickets.get("open", 0) + 2 * tickets.get("closed", 0))


async def _pace(run: Run) -> None:
    """Let time pass faster than it does."""
    last = time.monotonic()
    while True:
        await asyncio.sleep(STEP_SECONDS)
        now = time.monotonic()
        await run.step((now - last) * (run.speed - 1))
        last = now


async def _tick(run: Run) -> None:
    """Run the timer that sends what is due, once a minute."""
    while True:
        await asyncio.sleep(MINUTE / run.speed)
        with contextlib.suppress(httpx.HTTPError):
            await run.stage.tick("deliver_due")


async def _wake(run: Run) -> None:
    """Bring the jobs that were sent for later when their time has come: in the queue they lie by real time."""
    come: dict[str, datetime] = {}
    while True:
        await asyncio.sleep(WAKE_SECONDS)
        for sink in run.sinks.values():
            head, now = await run.app.tables.get(HEADS, sink, HEAD), run.app.clock.now()
            at = head.wake_at if head is not None and not head.leased(now) else None
            if at is not None and come.get(sink) != at <= now:
                come[sink] = at
                await run.app.queues.send(Deliver(sink_id=sink))


async def _nothing_waits(run: Run) -> bool:
    """Whether all is sent. When it only waits for its time, that time comes."""
    now, dues = run.app.clock.now(), list[datetime]()
    for sink in run.sinks.values():
        head = await run.app.tables.get(HEADS, sink, HEAD)
        if head is not None and head.leased(now):
            return False
        lanes: dict[str, int] = {}
        async for row in run.app.tables.rows(LINE.table, sink, prefix=IN_LINE, select=["RowKey", "due"]):
            lane = lane_of(row["RowKey"])
            lanes[lane] = max(int(row["due"]), lanes.get(lane, 0))
        if lanes:
            due = datetime.fromtimestamp(min(lanes.values()) / 1000, now.tzinfo)
            dues.append(max([due, *(at for at in (head and head.circuit.until, head and head.paused_until) if at)]))
    if not dues:
        return True
    wait = max(LEAST_JUMP, min(dues) - run.app.clock.now())
    run.jumped += wait
    await run.step(wait.total_seconds())
    await run.stage.tick("deliver_due")
    return False


async def _tell(run: Run, alerts: int) -> None:
    """Tell of openings and closings as fast as they can be stored."""
    began = time.perf_counter()
    batches: list[list[Alert]] = []
    for number in range(-(-alerts // BATCH) + LAG):
        now = run.app.clock.now()
        size = min(BATCH, max(0, alerts - number * BATCH))
        opened = [_alert(number * BATCH + place, now, run.sinks) for place in range(size)]
        batches.append(opened)
        run.alerts += [alert.id for alert in opened]
        notices = [_notice("opened", 1, alert, now) for alert in opened]
        if number >= LAG:
            over = [alert.changed(state="closed", closed_at=now) for alert in batches[number - LAG]]
            notices += [_notice("closed", 2, alert, now) for alert in over]
        for _ in range(2 if number % AGAIN == 1 else 1):
            try:
                await outbox.tell(run.app, notices)
            except* Unavailable:
                await outbox.tell(run.app, notices)
    run.told_seconds = time.perf_counter() - began


def _alert(number: int, now: datetime, sinks: dict[str, str]) -> Alert:
    """An alert of an invented machine."""
    name, subscription = f"vm-{number:05d}", "6a1c7d0e-5b0f-4b7c-9d0a-0c2f8f3f7a11"
    resource = f"/subscriptions/{subscription}/resourceGroups/production/providers/Microsoft.Compute/{name}"
    device = hashlib.sha256(resource.encode()).hexdigest()[:32]
    return Alert(
        id=alert_id(device, now),
        subject_id=device,
        site_id=SITE,
        condition="unavailable",
        status="unavailable",
        status_reason="The platform has found that the host of this virtual machine failed. It is being moved.",
        opened_at=now,
        since=now - timedelta(minutes=5),
        subject=Subject(
            name=name,
            resource_id=resource,
            type="Microsoft.Compute/virtualMachines",
            region="westeurope",
            resource_group="production",
            subscription_id=subscription,
            subscription_name="Production",
            tenant_id="0d8e6c4a-2f3b-4c5d-8e9f-1a2b3c4d5e6f",
            tenant_name="Contoso",
            client_name="Contoso",
            site_name="HQ",
            url=f"https://portal.azure.com/#resource{resource}",
        ),
        sink_ids=list(sinks.values()),
    )


def _notice(event: Any, number: int, alert: Alert, at: datetime) -> Notice:
    return Notice(
        event=event,
        alert_id=alert.id,
        number=number,
        at=at,
        subject=alert.subject_id,
        data=dict(texts.view(alert, [])),
        title=texts.title(alert),
        text=texts.body(alert) if event == "opened" else texts.closing("recovered"),
        severity=alert.severity,
        site_id=alert.site_id,
        client_name=alert.subject.client_name,
        url=alert.subject.url,
        sink_ids=alert.sink_ids,
    )


def table(result: dict[str, Any]) -> str:
    """The result for people."""
    heads = ("taken", "doubles", "lost answers", "faults", "requests", "per delivery", "missing", "wrong")
    lines = [f"{'sink':12}" + "".join(f"{head:>14}" for head in heads)]
    for kind, row in result["sinks"].items():
        faults = sum(row["faults"].values())
        shown = (row["taken"], row["doubles"], row["lostAnswers"], faults, row["requests"], row["perDelivery"])
        lines.append(f"{kind:12}" + "".join(f"{one:>14}" for one in (*shown, row["missing"], len(row["wrong"]))))
    kills = ", ".join(f"at {100 * row['atShare']:.0f} % ({row['sinksSentTo']} sinks)" for row in result["killed"])
    cpu = ", ".join(f"{name} {seconds}" for name, seconds in result["cpu"].items())
    lines += [
        f"{result['alerts']} alerts opened and closed at {len(result['sinks'])} sinks; host killed {kills or 'never'}",
        f"{result['seconds']} s, {result['perSecond']} deliveries per second; told within {result['toldSeconds']} s",
        f"{result['clockMinutes']} minutes of the application's time, {result['jumpedMinutes']} of them jumped",
        f"processor seconds: {cpu}; host's peak memory {result['hostPeakMiB']} MiB",
    ]
    return "\n".join(lines)


def failures(result: dict[str, Any]) -> list[str]:
    """What went wrong at which sink, in words."""
    found = []
    for kind, row in result["sinks"].items():
        if row["missing"]:
            found.append(f"{kind}: {row['missing']} of {row['expected']} never came")
        found += [f"{kind}: {text}" for text in row["wrong"][:5]]
    return found
