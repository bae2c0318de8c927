"""Models of the database, of its backups, and of what a rollback needs to know."""

from __future__ import annotations

import re
from typing import Literal
from zoneinfo import available_timezones

from croniter import croniter
from pydantic import Field, model_validator

from configs.base import HostPath, Label, NodeName, SecretRef, ShellSafe, StrictModel
from configs.lake import Lake

NOT_FOR_PREFECT = re.compile(r"[rh]\b|.*\dw|w\d", re.IGNORECASE)
"""Fields that croniter takes, and Prefect refuses or draws by lot: random, hashed, nearest weekday."""


class Schedule(StrictModel):
    """When scheduled backups are taken."""

    cron: str = Field(description="five fields, as in crontab(5)")
    timezone: str = Field(description="an IANA name; without one, a schedule would follow the server's time zone")

    @model_validator(mode="after")
    def _is_one_that_prefect_accepts(self) -> Schedule:
        if not croniter.is_valid(self.cron) or any(map(NOT_FOR_PREFECT.match, self.cron.split())):
            wrong = "not a cron expression that Prefect accepts"
        elif self.timezone not in available_timezones():
            wrong = "no such time zone"
        else:
            return self
        raise ValueError(
            f"{self.cron!r} in {self.timezone!r}: {wrong}: write five fields and a name of /usr/share/zoneinfo, "
            "for example '0 2 * * *' and Asia/Shanghai"
        )


class Backup(StrictModel):
    """backup-ctl: how Helm installs it, where its archives are stored, and when it is scheduled."""

    chart: ShellSafe = Field(description="the chart's archive on the Helm host, or its URL")
    helm_host: NodeName | None = Field(
        None, description="a source with `helm`; by default, and once it has left: a live server"
    )
    namespace: Label = "uap"
    release: Label = "backup-ctl"
    workload_label: ShellSafe = Field("app=backup-ctl", description="label selector of the pod to exec in")
    control: HostPath = Field("/tidb-ctl.sh", description="the control script in that pod")
    archives: re.Pattern[str] = Field(
        re.compile(r"tidb-backup-[0-9A-Za-z-]+\.tar\.gz"), description="regular expression of the names that it gives its archives"
    )
    expired_days: int = Field(7, ge=1, description="archives older than this are listed as expired")
    delete_expired: bool = Field(
        False, description="whether evenkeel deletes expired archives; backup-ctl may delete them, too"
    )
    glusterfs_nodes: tuple[NodeName, ...] = Field(
        (), description="machines with bricks of the file lake, for backup-ctl; the sources by default, with lake.move those that have them"
    )
    node_selector_value: ShellSafe = "1"
    lake: Lake = Field(Lake(), description="the file lake: the path of the archives' folder, or more of it")
    schedule: Schedule | None = None


class Database(StrictModel):
    """How to reach the database: through a client pod, as the runbook does, as root and as the application's user."""

    namespace: Label = "iottepa"
    client_pod: Label = "debug-mysql-client"
    host: ShellSafe = "mysql.iottepa"
    port: int = Field(3306, ge=1, le=65535)
    user: ShellSafe = Field(description="the application's user; it is granted all rights on `database`")
    password: SecretRef
    database: ShellSafe
    root_password: SecretRef | None = Field(
        None, description="needed by a rollback: a restore does not bring back passwords"
    )
    vip_port: int | None = Field(
        None, ge=1, le=65535, description="port at the VIP for clients outside; without it, SQL is not probed"
    )
    time_zone: ShellSafe = Field("+8:00", description="SET GLOBAL time_zone; a restore does not bring it back")

    @property
    def client(self) -> str:
        """The client pod as pods are called in messages and records."""
        return f"{self.namespace}/{self.client_pod}"


class Writer(StrictModel):
    """A workload that writes to the database; a rollback scales it to 0 while it restores data."""

    kind: Literal["Deployment", "StatefulSet"] = "Deployment"
    namespace: Label
    name: Label

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"


class Rollback(StrictModel):
    """What a rollback needs besides the record."""

    writers: tuple[Writer, ...] = ()
    restores_namespace: Label = "iottepa"
    old_bundle: HostPath | None = Field(
        None, description="folder of the old platform's image tars, named when an image is missing"
    )
