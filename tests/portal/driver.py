"""Driving the portal as a person would, and watching that it behaves."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, Request, expect

from tests.app_fixtures import ROOT

AXE = ROOT / "portal" / "node_modules" / "axe-core" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
EXPECTED = "Failed to load resource"
"""The browser's own note of an answer that is an error, or none; whether it may be one is the test's business."""
DESKTOP, PHONE = (1280, 800), (390, 844)


@dataclass
class Portal:
    """Windows of the portal, one for each person."""

    browser: Browser
    site: str
    allowed: tuple[str, ...]
    problems: list[str] = field(default_factory=list)
    """What went wrong unseen: errors on the console, and requests to strangers."""
    contexts: list[BrowserContext] = field(default_factory=list)

    async def open(
        self,
        path: str = "/",
        person: str = "alice",
        *,
        theme: Literal["light", "dark"] = "light",
        size: tuple[int, int] = DESKTOP,
    ) -> Page:
        """A new window on a page, signed in as a person of the sandbox."""
        page = await self.window(theme=theme, size=size)
        await page.goto(f"{self.site}{path}")
        await self.sign_in(page, person)
        return page

    async def window(self, *, theme: Literal["light", "dark"] = "light", size: tuple[int, int] = DESKTOP) -> Page:
        """A new window on nothing yet."""
        context = await self.browser.new_context(
            viewport={"width": size[0], "height": size[1]},
            color_scheme=theme,
            reduced_motion="reduce",
            locale="en-GB",
            timezone_id="Europe/London",
        )
        self.contexts.append(context)
        page = await context.new_page()
        page.set_default_timeout(15_000)
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.problems.append(f"uncaught: {error}"))
        page.on("request", self._asked)
        return page

    async def sign_in(self, page: Page, person: str) -> None:
        """Press a person's button on the sign-in page, and come back."""
        # The portal's own menu of who is signed in is a button with that name as well.
        await expect(page.get_by_role("heading", name="Pick an account")).to_be_visible()
        await page.get_by_role("button", name=person).click()
        await page.wait_for_url(f"{self.site}/**")
        await expect(page.get_by_role("main")).to_be_visible()

    async def close(self) -> None:
        """Close every window."""
        for context in self.contexts:
            await context.close()

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not message.text.startswith(EXPECTED):
            self.problems.append(f"console {message.type}: {message.text}")

    def _asked(self, request: Request) -> None:
        if not request.url.startswith((*self.allowed, "data:", "blob:")):
            self.problems.append(f"a request to {request.url}")


async def axe(page: Page) -> list[str]:
    """What axe finds wrong with the page as it is now: rule, and where."""
    # A passing message lies in no part of the page; it is spoken when it comes, and goes by itself.
    await expect(page.locator(".fui-Toast")).to_have_count(0)
    await page.evaluate(AXE.read_text())
    # Fluent's focus guards are hidden on purpose, and pass the focus on at once.
    options = {"runOnly": RULES, "rules": {"aria-hidden-focus": {"enabled": False}}}
    found: dict[str, Any] = await page.evaluate("options => axe.run(document, options)", options)
    return [f"{rule['id']}: {node['html'][:200]}" for rule in found["violations"] for node in rule["nodes"]]
