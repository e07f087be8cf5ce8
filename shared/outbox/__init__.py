"""The outbox: events for sinks stored in line, sent in order by one worker per sink, and kept with every attempt."""

from __future__ import annotations

from shared.outbox.announce import give_up as give_up_announcement
from shared.outbox.announce import run as run_announcement
from shared.outbox.deliveries import redeliver_alert
from shared.outbox.drain import give_up as give_up_delivery
from shared.outbox.drain import run as run_delivery
from shared.outbox.line import deliver_due
from shared.outbox.readback import give_up as give_up_read_tickets
from shared.outbox.readback import read_all as read_tickets
from shared.outbox.readback import run as run_read_tickets
from shared.outbox.tell import Notice, sinks_for, tell
from shared.outbox.tickets import AlertTicket, tickets

__all__ = [
    "AlertTicket",
    "Notice",
    "deliver_due",
    "give_up_announcement",
    "give_up_delivery",
    "give_up_read_tickets",
    "read_tickets",
    "redeliver_alert",
    "run_announcement",
    "run_delivery",
    "run_read_tickets",
    "sinks_for",
    "tell",
    "tickets",
]
