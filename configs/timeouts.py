"""Every deadline of a run, in seconds, each with the reason for its length."""

from __future__ import annotations

from pydantic import Field

from configs.base import StrictModel


class Timeouts(StrictModel):
    """Deadlines. A longer one never makes a healthy run slower; it only delays the report of a failure."""

    ssh_connect_s: float = Field(15, gt=0, description="a TCP handshake and a key exchange on a loaded machine")
    command_s: float = Field(60, gt=0, description="an ordinary command; the machine kills it at this age, too")
    uninstall_s: float = Field(300, gt=0, description="stopping all containers of a full node, 10 s of grace each")
    copy_s: float = Field(300, gt=0, description="a 400 MB airgap tar, local disk to local disk, on spinning disks")
    image_load_s: float = Field(1800, gt=0, description="several GB of layers unpacked by one docker daemon")
    etcd_settle_s: float = Field(
        60, gt=0, description="member add needs all voters connected for 5 s; elections after a change take seconds"
    )
    etcd_catch_up_s: float = Field(600, gt=0, description="a learner copies the database; 7 GB took 2 min elsewhere")
    k3s_join_s: float = Field(300, gt=0, description="first start unpacks the airgap images, then registers")
    pod_ready_s: float = Field(300, gt=0, description="a rescheduled pod starts from a local image and warms up")
    drain_s: float = Field(900, gt=0, description="the slowest pod's termination grace plus waiting for budgets")
    vip_s: float = Field(30, gt=0, description="VRRP needs 3 advert intervals plus skew; switches may take some more")
    api_settle_s: float = Field(90, gt=0, description="an API server's endpoint lease lives 15 s after it has gone")
    node_delete_s: float = Field(
        120, gt=0, description="k3s's leader takes a node's finalizer off; a stopped leader's lock lives 45 s, then one more settles"
    )
    gluster_s: float = Field(
        180, gt=0, description="gluster's own command gives up after 120 s; a brick was replaced in 9 s on a loaded machine"
    )
    lake_heal_s: float = Field(
        43200, gt=0, description="a new brick is filled by self-heal, small files at 10 a second each: hours for a full one"
    )
    helm_s: float = Field(300, gt=0, description="the pod of a chart starts from a local image, nothing is pulled")
    restore_s: float = Field(14400, gt=0, description="BR restores 100 MiB/s per TiKV, older ones slower")
    accounts_s: float = Field(60, gt=0, description="each TiDB server loads new users and variables by itself, in seconds")
    rollout_s: float = Field(600, gt=0, description="pods replaced one by one, each up to its readiness delay")
    approval_s: float = Field(
        3600, gt=0, description="a person has to read the plan first; without an answer nothing is done"
    )
    backup_s: float = Field(7200, gt=0, description="BR writes 50-100 MB/s per TiKV")
