"""The audit log: who did what to what, in chains that show what was changed or removed; old days leave by retention.

`records` has the rows, `chain` how they are linked (pure), `write` appends, `check` judges a chain (pure), `verify`
reads a day for it.
"""

from shared.audit.chain import Deed
from shared.audit.records import ENTRIES, LOG, PROVIDER, AuditEntry, Entry, Log, chain_of, log_of, of_day, view
from shared.audit.verify import AuditVerification, verify
from shared.audit.write import record, record_all

__all__ = [
    "ENTRIES",
    "LOG",
    "PROVIDER",
    "AuditEntry",
    "AuditVerification",
    "Deed",
    "Entry",
    "Log",
    "chain_of",
    "log_of",
    "of_day",
    "record",
    "record_all",
    "verify",
    "view",
]
