"""What it costs to ask a whole fleet by SSH, beside Ansible (raw, pipelining) and pyinfra, on real sshds of this machine.

python -m tests.bench.fan_out --hosts 10,50,100,200,500
"""

from __future__ import annotations

import json
import resource
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import typer
from prefect.settings import PREFECT_API_URL, PREFECT_SERVER_ANALYTICS_ENABLED, temporary_settings
from prefect.testing.utilities import prefect_test_harness

from tests.bench.endpoints import serving
from tests.bench.measure import Cost, adopt_orphans, cost_of, middle_ratio, own_children
from tests.bench.tools import FORKS, VERSIONS, installed, tools

NAMES = {
    "raw": "SSH bare",
    "flow": "in a flow",
    "ansible": f"Ansible {VERSIONS['ansible-core']}, forks {FORKS}",
    "pyinfra": f"pyinfra {VERSIONS['pyinfra']}",
}
OURS, OTHERS = ("raw", "flow"), ("ansible", "pyinfra")
HEAD = "| hosts | " + " | ".join(f"{name}: s / CPU s / MB" for name in NAMES.values()) + " | flow : Ansible | flow : pyinfra |"
Costs = dict[int, dict[str, list[Cost]]]


app = typer.Typer(add_completion=False, help=__doc__)


@app.command()
def main(
    hosts: Annotated[str, typer.Option(help="how many, by commas")] = "10,50,100,200,500",
    rounds: Annotated[int, typer.Option(help="of each tool at each size, in turns", min=1)] = 2,
    only: Annotated[str, typer.Option(help="tools, by commas")] = ",".join(NAMES),
    out: Annotated[Path | None, typer.Option("--json", help="where all numbers go")] = None,
) -> None:
    """Measure, in turns, and print the table for docs/performance.md."""
    sizes, chosen = sorted({int(size) for size in hosts.split(",")}), only.split(",")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the endpoints end, too
    permit_files()
    programs = installed() if set(chosen) & set(OTHERS) else Path()
    costs: Costs = {size: {name: [] for name in chosen} for size in sizes}
    adopt_orphans()
    with prefect_server() as api, serving(sizes[-1]) as endpoints:
        others = own_children()
        for turn in range(rounds):
            for size in sizes:
                asked = [tool for tool in tools(endpoints, size, programs, api) if tool.name in chosen]
                first = turn % len(asked)
                for tool in asked[first:] + asked[:first]:
                    cost = cost_of(tool.words, tool.env, others=others, shows=tool.shows)
                    costs[size][tool.name].append(cost)
                    typer.echo(f"round {turn + 1}, {size} hosts, {tool.name}: {shown(cost)}")
                if out is not None:  # after each size: a measurement that is stopped has measured something
                    out.write_text(json.dumps(as_json(costs), indent=1), encoding="utf-8")
    typer.echo(f"\n{table(costs)}\n\npython -m tests.bench.fan_out --hosts {hosts} --rounds {rounds}")


def permit_files() -> None:
    """As many open files as this process may have: those of the tools that are measured count by its limit, too."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


@contextmanager
def prefect_server() -> Iterator[str]:
    """The URL of a server in a process of its own, as a flow of the product has one."""
    with temporary_settings({PREFECT_SERVER_ANALYTICS_ENABLED: False}), prefect_test_harness(server_startup_timeout=120):
        yield str(PREFECT_API_URL.value())


def middle(costs: list[Cost]) -> Cost | None:
    """The median of each; None before the first turn."""
    if not costs:
        return None
    return Cost(*(median(values) for values in zip(*((one.elapsed_s, one.cpu_s, one.peak_mb) for one in costs), strict=True)))


def ratio(costs: dict[str, list[Cost]], tool: str) -> float | None:
    """Elapsed time of ours in a flow to that of another tool."""
    pairs = zip(costs.get("flow", []), costs.get(tool, []), strict=False)
    return middle_ratio((ours.elapsed_s, other.elapsed_s) for ours, other in pairs)


def as_json(costs: Costs) -> dict[str, Any]:
    """All turns, and what the table has of them."""
    return {
        str(size): {
            "turns": {name: [asdict(cost) for cost in turns] for name, turns in by_tool.items()},
            "flow_to": {tool: ratio(by_tool, tool) for tool in OTHERS},
        }
        for size, by_tool in costs.items()
    }


def table(costs: Costs) -> str:
    """In Markdown: medians, one line a size."""
    lines = [HEAD, "|---:" * (len(NAMES) + 3) + "|"]
    for size, by_tool in costs.items():
        cells = [shown(middle(by_tool.get(name, []))) for name in NAMES]
        ratios = [f"{found:.2f}" if (found := ratio(by_tool, tool)) is not None else "-" for tool in OTHERS]
        lines.append(f"| {' | '.join([str(size), *cells, *ratios])} |")
    return "\n".join(lines)


def shown(cost: Cost | None) -> str:
    """Elapsed time, CPU time of the client and its peak, as the table has them."""
    return f"{cost.elapsed_s:.1f} / {cost.cpu_s:.1f} / {cost.peak_mb:.0f}" if cost is not None else "-"


if __name__ == "__main__":
    app()
