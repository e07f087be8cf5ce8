"""What people may call things: text that shows as it is, wherever it is shown."""

from __future__ import annotations

import re

PATTERN = r"^[^\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]+$"
"""No control characters, line ends, or marks that turn the direction of what follows
(unicode.org/reports/tr9/#Directional_Formatting_Characters)."""
MAX_CHARS = 200


def shows(name: str) -> bool:
    """Whether it has none of the characters that a name must not have."""
    return re.fullmatch(PATTERN, name) is not None
