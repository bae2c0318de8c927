"""What clients use of the platform, asked as they ask."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from pydantic import SecretStr

from blocks.ports import KubeApi
from configs.platform import Platform
from tasks.database.sql import ask_sql
from tasks.engine.outcome import Outcome, planned, unchanged
from tasks.engine.run import Run
from tasks.engine.step import step
from tasks.engine.waiting import wait_until

HttpGet = Callable[[str], tuple[int, str]]


@step("verify services")
def verify_services(
    run: Run, platform: Platform, kube: KubeApi, http_get: HttpGet, password: SecretStr | None
) -> Outcome:
    """Make sure that what clients use answers: each HTTP check, and the database.

    Changes nothing. Undo: none needed.
    """
    # probe
    urls = list(map(str, platform.http_checks))
    asked = [*urls, *([f"SQL at {platform.database.host}"] if platform.database else [])]
    if run.dry_run:
        return planned(f"answer: {', '.join(asked) or 'nothing is configured'}")

    # act
    # verify
    for url in urls:
        wait_until(f"{url} answers", partial(http_get, url), timeout_s=platform.timeouts.vip_s)
    if platform.database is not None and password is not None:
        ask_sql(
            kube, platform.database, platform.database.user, password, "SELECT 1;", schema=platform.database.database
        )
    return unchanged(f"answer: {', '.join(asked) or 'nothing is configured'}")
