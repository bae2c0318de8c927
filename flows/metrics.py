"""What Prometheus hears when a run has ended. It never changes how the run ends."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from blocks.metrics import push_figures, write_figures
from configs.observability import Metrics
from configs.platform import Platform
from tasks.engine.journal import Journal, Report
from tasks.metrics.figures import figures_of

log = logging.getLogger(__name__)


@contextmanager
def measured(journal: Journal, platform: Platform) -> Iterator[None]:
    """Publish the run's figures once its report is closed, as the config's `metrics` has it; of dry runs, none."""
    try:
        yield
    finally:
        if platform.metrics is not None and not journal.report.dry_run:
            _publish(journal.report, platform.metrics)


def _publish(report: Report, metrics: Metrics) -> None:
    labels, figures = {"platform": report.platform, "flow": report.flow}, figures_of(report)
    if metrics.textfile is not None:
        folder = metrics.textfile
        _tried(f"metrics.textfile {folder}", lambda: write_figures(figures, folder, labels))
    if metrics.pushgateway is not None:
        url = str(metrics.pushgateway)
        _tried(f"metrics.pushgateway {url}", lambda: push_figures(figures, url, labels))


def _tried(where: str, publish: Callable[[], object]) -> None:
    try:
        publish()
    except Exception as error:  # the run has ended: whoever looks after metrics reads the log
        log.warning("%s: the run's figures are not there: %s: %s", where, type(error).__name__, error)
