"""Client tenants and their Azure subscriptions.

`records` holds the rows and with which identity each is reached, `refresh` who is listed, `access` how each
subscription is reached, `diagnosis` what is wrong with one tenant.
"""

from shared.tenants.access import choose, discover, look
from shared.tenants.diagnosis import diagnose, explain
from shared.tenants.records import (
    SUBSCRIPTIONS,
    TENANTS,
    Subscription,
    SubscriptionView,
    Tenant,
    TenantView,
    arm_credential,
    change,
    client_credential,
    consent_url,
    every,
    get,
    graph_of,
    links,
    matching,
    partner_graph,
    problem,
    subscription_counts,
    subscriptions,
    view,
    view_subscription,
)
from shared.tenants.refresh import give_up_refresh, refresh_all, run_refresh, start_refresh

__all__ = [
    "SUBSCRIPTIONS",
    "TENANTS",
    "Subscription",
    "SubscriptionView",
    "Tenant",
    "TenantView",
    "arm_credential",
    "change",
    "choose",
    "client_credential",
    "consent_url",
    "diagnose",
    "discover",
    "every",
    "explain",
    "get",
    "give_up_refresh",
    "graph_of",
    "links",
    "look",
    "matching",
    "partner_graph",
    "problem",
    "refresh_all",
    "run_refresh",
    "start_refresh",
    "subscription_counts",
    "subscriptions",
    "view",
    "view_subscription",
]
