"""What is wrong with a device and whether it deserves a ticket: pure, nothing here talks to anything.

records.py has the words, policy.py the rules people set. A look goes through history.py (what was seen, in order),
judgement.py (what is right now) and machine.py (what is to be done about it); grouping.py makes outages of many.
"""

from __future__ import annotations
