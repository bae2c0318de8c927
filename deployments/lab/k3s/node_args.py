"""What k3s writes on its node of how it was started: the annotations k3s.io/node-args and node-env, secrets left out."""

import json
import os

ARGS, ENV = "k3s.io/node-args", "k3s.io/node-env"
OMITTED = "********"
_SECRET_FLAGS = ("--token", "-t", "--agent-token", "--datastore-endpoint", "--cluster-secret")
_SECRET_VARIABLES = ("K3S_TOKEN", "K3S_AGENT_TOKEN", "K3S_DATASTORE_ENDPOINT", "K3S_CLUSTER_SECRET")


def annotations(arguments: list[str], environment: dict[str, str] | None = None) -> dict[str, str]:
    """Both annotations, as JSON. `arguments` are the command's, without those of config.yaml (these only from v1.21.1 on)."""
    words = [part for word in arguments for part in (word.split("=", 1) if word.startswith("--") else [word])]
    shown = [OMITTED if before in _SECRET_FLAGS else word for before, word in zip(["", *words], words, strict=False)]
    variables = {k: v for k, v in (environment or dict(os.environ)).items() if k.startswith("K3S_")}
    masked = {k: OMITTED if k in _SECRET_VARIABLES else v for k, v in variables.items()}
    return {ARGS: json.dumps(shown), ENV: json.dumps(masked)}
