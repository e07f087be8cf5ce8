"""A Teams channel behind a Workflows webhook: what is shown of the adaptive cards that are posted.

The trigger answers 202 to anything; whether the card is shown turns out in the run. Rules checked there:
learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using (frame, 28 KB),
learn.microsoft.com/microsoftteams/platform/task-modules-and-cards/cards/cards-format (Markdown in TextBlock and
FactSet), adaptivecards.io/explorer (elements, OpenUrl needs an absolute URL).
"""

from __future__ import annotations

import re
from typing import Any

from sandbox.receivers.workflow import Workflow
from sandbox.wire import Call, CloudError
from sandbox.world import Cloud

MAX_BYTES = 28 * 1024
CARD = "application/vnd.microsoft.card.adaptive"
ELEMENTS = {
    "TextBlock",
    "RichTextBlock",
    "Container",
    "ColumnSet",
    "Column",
    "FactSet",
    "ActionSet",
    "Image",
    "ImageSet",
    "Table",
}
ACTIONS = {"Action.OpenUrl", "Action.ToggleVisibility", "Action.ShowCard", "Action.Submit", "Action.Execute"}
MAX_ACTIONS = 6
MARKDOWN = re.compile(r"\*\S|_\S|\[[^\]]*\]\(|^\s*(?:[-+*]|\d+\.)\s", re.MULTILINE)
MENTION = re.compile(r"<at[ >]", re.IGNORECASE)
DATE_FUNCTION = re.compile(r"\{\{(?:DATE|TIME)\(")


class Channel(Workflow):
    """`cards`: each as it is seen, `{style, texts, active, actions: [{title, url?}]}`, the oldest first.

    `active` are texts that Teams would not show as they are: Markdown where it is rendered, mentions, date functions.
    """

    kind = "teams"

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self.cards: list[dict[str, Any]] = []

    def clear(self) -> None:
        """Forget the cards too."""
        super().clear()
        self.cards.clear()

    def shown(self) -> dict[str, Any]:
        """As every workflow, and `cards`."""
        return {**super().shown(), "cards": self.cards}

    def run(self, call: Call) -> dict[str, Any]:
        """Post the cards of a message, or fail with what is wrong with them."""
        try:
            cards = [_seen(content) for content in _contents(call)]
        except CloudError as error:
            return {"status": "Failed", "problem": error.message}
        self.cards += cards
        return {"status": "Succeeded"}


def _contents(call: Call) -> list[dict[str, Any]]:
    """The cards of a message. Raises CloudError with what is wrong."""
    body = call.body
    if len(call.raw_body) > MAX_BYTES:
        raise CloudError(413, "RequestEntityTooLarge", f"The message has {len(call.raw_body)} bytes.")
    if not isinstance(body, dict) or body.get("type") != "message" or not isinstance(body.get("attachments"), list):
        raise CloudError(400, "BadRequest", "No message with attachments.")
    found = [row.get("content") for row in body["attachments"] if row.get("contentType") == CARD]
    if not found:
        raise CloudError(400, "BadRequest", "No adaptive card among the attachments.")
    for content in found:
        if not isinstance(content, dict) or content.get("type") != "AdaptiveCard":
            raise CloudError(400, "BadRequest", "The attachment is no AdaptiveCard.")
        if content.get("version") not in ("1.0", "1.1", "1.2", "1.3", "1.4", "1.5"):
            raise CloudError(400, "BadRequest", f"Version {content.get('version')} is not shown.")
    return found


def _seen(content: dict[str, Any]) -> dict[str, Any]:
    texts: list[str] = []
    active: list[str] = []
    styles: list[str] = []
    for element in content.get("body", []):
        _walk(element, texts, active, styles)
    actions = content.get("actions", [])
    if len(actions) > MAX_ACTIONS:
        raise CloudError(400, "BadRequest", f"{len(actions)} actions; {MAX_ACTIONS} are shown.")
    for action in actions:
        if action.get("type") not in ACTIONS:
            raise CloudError(400, "BadRequest", f"Unknown action {action.get('type')}.")
        if action["type"] == "Action.OpenUrl" and not re.match(r"https?://[^/\s]+", str(action.get("url", ""))):
            raise CloudError(400, "BadRequest", "Action.OpenUrl without an absolute URL.")
    return {
        "style": styles[0] if styles else "default",
        "texts": texts,
        "active": active,
        "actions": [{k: row[k] for k in ("title", "url") if k in row} for row in actions],
    }


def _walk(element: dict[str, Any], texts: list[str], active: list[str], styles: list[str]) -> None:
    """Collect what an element shows. Raises CloudError for an element that there is none of."""
    kind = element.get("type")
    if kind not in ELEMENTS:
        raise CloudError(400, "BadRequest", f"Unknown element {kind}.")
    if "style" in element:
        styles.append(str(element["style"]))
    if kind == "RichTextBlock":
        text = "".join(run if isinstance(run, str) else str(run.get("text", "")) for run in element["inlines"])
        _text(text, texts, active, markdown=False)
    if kind == "TextBlock":
        _text(str(element.get("text", "")), texts, active, markdown=True)
    for fact in element.get("facts", []):
        _text(f"{fact['title']}: {fact['value']}", texts, active, markdown=True)
    for name in ("items", "columns"):
        for inner in element.get(name, []):
            _walk(inner, texts, active, styles)


def _text(text: str, texts: list[str], active: list[str], *, markdown: bool) -> None:
    texts.append(text)
    if (markdown and MARKDOWN.search(text)) or MENTION.search(text) or DATE_FUNCTION.search(text):
        active.append(text)


RECEIVER = Channel
