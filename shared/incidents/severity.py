"""How bad it is: the first rule that matches, else by condition."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from shared.incidents.policy import SeverityRule
from shared.incidents.records import SEVERITIES, Condition, Severity

_BY_CONDITION: dict[Condition, Severity] = {
    "unavailable": "high",
    "overdue": "high",
    "degraded": "medium",
    "flapping": "medium",
    "unknown": "low",
}
ANY_VALUE = "*"


def severity_of(
    rules: Sequence[SeverityRule], resource_type: str, tags: Mapping[str, str], condition: Condition
) -> Severity:
    """The severity of a device in a condition.

    Types and names of tags are compared without case, as Azure does; values of tags with it, and `*` is any value
    (learn.microsoft.com/azure/azure-resource-manager/management/tag-resources).
    """
    named = {name.casefold(): value for name, value in tags.items()}
    for rule in rules:
        if _matches(rule, resource_type.casefold(), named, condition):
            return rule.severity
    return _BY_CONDITION[condition]


def below(severity: Severity, other: Severity) -> bool:
    """Whether one is less severe than the other."""
    return SEVERITIES.index(severity) > SEVERITIES.index(other)


def _matches(rule: SeverityRule, resource_type: str, tags: Mapping[str, str], condition: Condition) -> bool:
    if rule.types is not None and resource_type not in {name.casefold() for name in rule.types}:
        return False
    if rule.conditions is not None and condition not in rule.conditions:
        return False
    wanted = {name.casefold(): value for name, value in (rule.tags or {}).items()}
    return all(name in tags and value in (ANY_VALUE, tags[name]) for name, value in wanted.items())
