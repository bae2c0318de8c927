"""A small platform's configuration, as an operator would write it."""

from __future__ import annotations

import copy
from functools import cache
from typing import Any

from configs.platform import Platform

Config = dict[str, Any]

CONFIG: Config = {
    "platform": "demo",
    "ssh": {"key": "/keys/id_ed25519"},
    "sources": [{"name": "vm-1", "address": "10.0.0.11"}, {"name": "vm-2", "address": "10.0.0.12"}],
    "targets": [
        {"name": "phys-1", "address": "10.0.0.21", "role": "server"},
        {"name": "phys-2", "address": "10.0.0.22", "role": "server"},
        {"name": "phys-3", "address": "10.0.0.23", "role": "agent"},
    ],
    "vip": "10.0.0.100",
    "etcd": {"cluster_token": "token-1"},
    "k3s": {"images": ["image/app.tar"], "server_args": ["--https-listen-port=10443", "--docker"]},
    "keepalived": {"virtual_router_id": 51, "interface": "eth0", "auth_pass": {"env": "VRRP_PASSWORD"}, "holders": 2},
    "database": {
        "user": "app",
        "database": "app",
        "password": {"env": "DB_PASSWORD"},
        "root_password": {"env": "DB_ROOT_PASSWORD"},
    },
    "backup": {"chart": "/opt/charts/uap-backup-ctl-1.0.0.tgz"},
    "rollback": {"writers": [{"namespace": "shop", "name": "web"}]},
    "http_checks": ["http://10.0.0.100:30080/"],
}


def config(**changes: object) -> Config:
    """The configuration with some of its top-level keys changed; None removes one."""
    whole = {**copy.deepcopy(CONFIG), **changes}
    return {key: value for key, value in whole.items() if value is not None}


def platform(**changes: object) -> Platform:
    return Platform.model_validate(config(**changes)) if changes else _unchanged()


@cache
def _unchanged() -> Platform:
    """Nobody can change it: models are frozen."""
    return Platform.model_validate(CONFIG)


def machines_on(network: str) -> Config:
    """The configuration's machines on a network of their own, for example "10.0.7."; for configurations of several platforms."""
    return {
        kind: [{**machine, "address": machine["address"].replace("10.0.0.", network)} for machine in CONFIG[kind]]
        for kind in ("sources", "targets")
    }
