"""Striking out of a text what looks like a secret or says who a person is. Pure."""

from __future__ import annotations

import re

MAX_CHARS = 4000
STRUCK = "***"
_NAMES = r"\w*(?:secret|password|token|signature|verifier|key)|sig"
"""Of fields and headers whose value is a secret."""
# Compiled when first used, by the cache that re keeps.
_PATTERNS: tuple[tuple[str, str], ...] = (
    # Of a URL the host may be told: path, query and sign-in may each be the secret.
    (r"(?i)\b(https?://)(?:[^\s/?#'\"<>]*@)?([^\s/?#'\"<>]+)[^\s'\"<>]*", r"\1\2/" + STRUCK),
    (r"(?i)\b(bearer|basic|sharedaccesssignature)\s+[\w.~+/=-]{6,}", r"\1 " + STRUCK),
    (r"\bwhsec_[^\s'\",;]+", STRUCK),
    # To the closing quote, which may be escaped as what it closes; of what was cut off, to the end.
    (rf"(?is)\b((?:{_NAMES})(?:\\*['\"])?\s*[:=]\s*)(\\*['\"]).*?((?<!\\)\2|\Z)", r"\1\2" + STRUCK + r"\3"),
    (rf"(?i)\b((?:{_NAMES})(?:\\*['\"])?\s*[:=]\s*)[^\s&'\",;\\]+", r"\1" + STRUCK),
    # In JSON and in sentences these two are what people need to read.
    (r"(?i)\b(code|state)=[^\s&'\",;]+", r"\1=" + STRUCK),
    (r"(?<![\w.+'-])[\w.+'-]+@[\w-]+(?:\.[\w-]+)+", STRUCK),
    # Random text: capitals, small letters and digits in one word that is longer than what people write.
    (r"(?<![\w~-])(?=[\w~.-]*[a-z])(?=[\w~.-]*[A-Z])(?=[\w~.-]*\d)[\w~.-]{20,}", STRUCK),
)


def clean(text: str) -> str:
    """The text without what looks like a secret or an address, cut to MAX_CHARS."""
    for pattern, instead in _PATTERNS:
        text = re.sub(pattern, instead, text)
    return text[:MAX_CHARS]
