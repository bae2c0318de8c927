"""Models of the database, of its backups, and of what a rollback brings back."""

from __future__ import annotations

from typing import Literal

from prefect.client.schemas.schedules import CronSchedule
from pydantic import Field, ValidationError, model_validator

from configs.base import HostPath, Label, SecretRef, ShellSafe, StrictModel


class Schedule(StrictModel):
    """When backups are taken by themselves."""

    cron: str = Field(description="five fields, as in crontab(5)")
    timezone: str = Field(description="an IANA name; a schedule without one would follow the server's")

    @model_validator(mode="after")
    def _is_understood_by_prefect(self) -> Schedule:
        try:
            CronSchedule(cron=self.cron, timezone=self.timezone)
        except ValidationError as error:
            raise ValueError(
                f"{self.cron!r} in {self.timezone!r}: {error.errors()[0]['msg']}: write five fields and a name of "
                "/usr/share/zoneinfo, for example '0 2 * * *' and Asia/Shanghai"
            ) from None
        return self


class Backup(StrictModel):
    """backup-ctl: how it is installed by Helm, where its archives lie, and when it runs by itself."""

    chart: ShellSafe = Field(description="the chart's archive on the Helm host, or its URL")
    helm_host: Label | None = Field(
        None, description="a source with `helm`; without it, or once it has left: a live server"
    )
    namespace: Label = "uap"
    release: Label = "backup-ctl"
    workload_label: ShellSafe = Field("app=backup-ctl", description="label selector of the pod to exec in")
    control: HostPath = Field("/tidb-ctl.sh", description="the control script in that pod")
    expired_days: int = Field(7, ge=1, description="archives older than this are listed as expired")
    delete_expired: bool = Field(
        False, description="whether we delete expired archives; backup-ctl may do so by itself"
    )
    glusterfs_nodes: tuple[Label, ...] = Field(
        (), description="machines with the file lake's bricks; the sources by default"
    )
    node_selector_value: ShellSafe = "1"
    lake: HostPath = Field(
        "/mnt/uap-global/backup", description="where the archives lie, the file lake being mounted there"
    )
    schedule: Schedule | None = None


class Database(StrictModel):
    """How to reach the database: a client in a pod, as the runbook does, its root and the application's user."""

    namespace: Label = "iottepa"
    client_pod: Label = "debug-mysql-client"
    host: ShellSafe = "mysql.iottepa"
    port: int = Field(3306, ge=1, le=65535)
    user: ShellSafe = Field(description="the application's user; it gets all rights on `database`")
    password: SecretRef
    database: ShellSafe
    root_password: SecretRef | None = Field(
        None, description="needed by a rollback: a restore brings back no passwords"
    )
    vip_port: int | None = Field(
        None, ge=1, le=65535, description="where clients outside reach it at the VIP; without it, they are not played"
    )
    time_zone: ShellSafe = Field("+8:00", description="SET GLOBAL time_zone; a restore brings none back")


class Writer(StrictModel):
    """A workload that writes to the database; a rollback scales it to 0 while data is restored."""

    kind: Literal["Deployment", "StatefulSet"] = "Deployment"
    namespace: Label
    name: Label

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"


class Rollback(StrictModel):
    """What a rollback has to know besides the record."""

    writers: tuple[Writer, ...] = ()
    restores_namespace: Label = "iottepa"
    old_bundle: HostPath | None = Field(
        None, description="where the old platform's image tars lie, told when an image is missing"
    )
