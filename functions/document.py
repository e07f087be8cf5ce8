"""`python -m functions.document`: the API's OpenAPI document, for generators of clients such as the portal's."""

from __future__ import annotations

import json
import sys

from functions import API


def main() -> None:
    """Write the document to standard output."""
    json.dump(API.openapi(), sys.stdout, indent=1)


if __name__ == "__main__":
    main()
