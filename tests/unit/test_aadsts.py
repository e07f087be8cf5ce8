import pytest

from shared.errors import AccessDenied, MicrosoftError, NeedsConsent, Throttled
from shared.microsoft import aadsts


def refusal(number: int, error: str = "invalid_grant") -> dict[str, object]:
    described = f"AADSTS{number}: Something. Trace ID: 1 Correlation ID: 2 Timestamp: 3"
    return {"error": error, "error_codes": [number], "error_description": described}


@pytest.mark.parametrize("number", aadsts.NEEDS_SIGN_IN)
def test_a_lost_sign_in_asks_for_a_person(number: int) -> None:
    error = aadsts.from_answer(400, refusal(number))
    assert isinstance(error, NeedsConsent)
    assert error.remote_code == f"AADSTS{number}"
    assert "sign in" in error.fix.lower() or "Sign in" in error.fix


@pytest.mark.parametrize("number", aadsts.DENIED)
def test_a_tenants_refusal_says_what_to_do(number: int) -> None:
    error = aadsts.from_answer(400, refusal(number))
    assert isinstance(error, AccessDenied)
    assert error.fix


def test_an_unknown_invalid_grant_asks_to_sign_in_with_microsofts_own_text() -> None:
    error = aadsts.from_answer(400, refusal(123456))
    assert isinstance(error, NeedsConsent)
    assert error.message == "AADSTS123456: Something."


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_sign_in_service_is_waited_for(status: int) -> None:
    error = aadsts.from_answer(status, {}, retry_after=7)
    assert isinstance(error, Throttled)
    assert error.retry_after == 7


def test_any_other_refusal_keeps_its_text() -> None:
    error = aadsts.from_answer(400, {"error": "invalid_scope", "error_description": "Bad scope."})
    assert type(error) is MicrosoftError
    assert error.message == "Bad scope."
    assert error.remote_code == "invalid_scope"
