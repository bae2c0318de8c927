"""How far this run is, kept current as one artifact in Prefect's UI: whoever watches asks Prefect's API for it, from anywhere."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import ArtifactCreate, ArtifactUpdate
from prefect.runtime import flow_run

from tasks.engine.journal import Journal
from tasks.report.history import Expected, expected_of, reports_in
from tasks.report.progress import Progress, progress_of, read_progress

log = logging.getLogger(__name__)

PACE_S = 3.0  # each one is a write to Prefect's database, which a run's own steps need, too
END_S = 10.0  # a server that does not answer holds no run up for longer
PROGRESS = "progress"
PART = 500  # characters: Prefect's server cuts every value of an artifact's metadata off there (validate_max_metadata_length)


@contextmanager
def published(journal: Journal, pace_s: float = PACE_S) -> Iterator[None]:
    """Publish this flow run's progress until the context ends. A Prefect server that does not answer stops nothing."""
    if flow_run.id is None:
        yield
        return
    over = threading.Event()
    publisher = threading.Thread(target=_publish, args=(journal, UUID(flow_run.id), over, pace_s), daemon=True)
    publisher.start()
    try:
        yield
    finally:
        over.set()
        publisher.join(END_S)


def _publish(journal: Journal, run: UUID, over: threading.Event, pace_s: float) -> None:
    artifact: UUID | None = None
    expected: Expected | None = None
    ended = False
    while not ended:
        ended = over.wait(pace_s if artifact else 0)  # once more at the end
        if expected is None and journal.phase:  # what was asked of the run is known by then
            earlier = (report for _, report in reports_in(journal.path.parent.parent))
            expected = expected_of(earlier, journal.report, dry=journal.report.dry_run)
        progress = progress_of(journal.report, journal.phase, expected or Expected(), time.time())
        try:
            with get_client(sync_client=True) as client:
                artifact = _put(client, artifact, progress, run)
        except Exception as error:  # its client raises what it meets on the way: httpx's errors, RuntimeError, its own
            log.debug("the progress is not shown in Prefect's UI: %r", error)
            ended = ended or over.wait(pace_s)


def _put(client: SyncPrefectClient, artifact: UUID | None, progress: Progress, run: UUID) -> UUID:
    shown = {"data": progress.text, "description": progress.headline, "metadata_": in_parts(progress)}
    if artifact is not None:
        client.update_artifact(artifact, ArtifactUpdate(**shown))
        return artifact
    key = f"{PROGRESS}-{progress.platform}"
    return client.create_artifact(ArtifactCreate(key=key, type="markdown", flow_run_id=run, **shown)).id


def in_parts(progress: Progress) -> dict[str, str]:
    """As an artifact's metadata keeps it whole: values of at most `PART` characters, by keys whose order is theirs."""
    text = progress.as_json()
    return {f"{PROGRESS}-{at:08}": text[at : at + PART] for at in range(0, len(text), PART)}


def from_parts(metadata: Mapping[str, str]) -> Progress:
    """What `in_parts` was given. Raises ValueError for any other metadata."""
    return read_progress("".join(metadata[key] for key in sorted(metadata) if key.startswith(f"{PROGRESS}-")))
