"""What a rollback will do: which backup, which images; chosen once, described in words, kept in its record."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from blocks.errors import RefusedError
from blocks.ports import Workload
from flows.session import Session
from tasks.database.archive import BACKUP, described
from tasks.engine.record import BACKUPS, MIGRATIONS, PLAN, Facts, Record, names_of
from tasks.images.record import NEW
from tasks.images.rollout import Images, images_to_set, recorded_images


def plan_of(session: Session, asked: Facts) -> Facts:
    """The unfinished rollback's plan, or a new one for what is asked: backup, and images by workload and container.

    Raises RefusedError when an unfinished rollback was begun with other parameters: two plans can't be mixed.
    """
    begun = session.record.read(PLAN)
    if begun is None:
        what, source = asked["what"], asked["images"]
        chosen = _choose_backup(session, asked["backup"]) if what != "images" else None
        return {
            "asked": asked,
            "backup": chosen,
            "age": _age(chosen),
            "images": _choose_images(session, source, asked["image_map"]) if what != "data" else {},
        }
    if begun["asked"] != asked:
        was = ", ".join(f"{name}={value!r}" for name, value in begun["asked"].items())
        raise RefusedError(
            f"rollback {session.record.name} is unfinished, it was begun with {was}: run it again with these, "
            "or end it with abandon=true",
            id="rollback-other-parameters",
        )
    return begun


def described_plan(session: Session, plan: Facts) -> str:
    """What will be done and what will be lost, in words; an approval is for this text."""
    chosen, lines = plan["backup"], []
    if chosen is not None:
        taken = f"taken at {chosen['taken']}, {plan['age']} ago ({described(chosen)})" if plan["age"] else "of unknown age"
        writers = ", ".join(map(str, session.platform.rollback.writers)) or "no writer is configured"
        lines.append(f"- restore {name_of_backup(chosen)}, {taken}: every row written since then is LOST")
        lines.append(f"- scaled to 0 meanwhile: {writers}")
    lines.extend(
        f"- {workload}: {container} becomes {image}"
        for workload, containers in sorted(plan["images"].items())
        for container, image in containers.items()
    )
    return "\n".join(lines) or "- nothing: all images are as recorded"


def _choose_backup(session: Session, name: str | None) -> Facts:
    """The backup to restore: as given, or the last migration's."""
    wanted = name.removesuffix(".tar.gz") if name else None
    for record in _records(session, BACKUP):
        taken = record.read(BACKUP)
        if taken is not None and wanted in (None, name_of_backup(taken)):
            return taken
    if wanted is None:
        raise RefusedError(
            f"{session.platform.name}: no migration and no scheduled run has recorded a backup: give backup=NAME; "
            "backup-ctl's ls-tar lists them",
            id="backup-not-recorded",
        )
    return {"name": f"{wanted}.tar.gz"}


def _choose_images(session: Session, source: str, given: Images | None) -> Images:
    """The images to set: given by hand, or as recorded by the last migration or else backup; only what differs now."""
    present = session.kube.workloads()
    if given is not None:
        _refuse_unknown(given, present)
        return images_to_set(given, present)
    for record in _records(session, NEW):
        return images_to_set(recorded_images(record, source), present)
    raise RefusedError(
        f"{session.platform.name}: no migration and no backup has recorded any images: give image_map",
        id="images-never-recorded",
    )


def _refuse_unknown(given: Images, present: list[Workload]) -> None:
    unknown = sorted(given.keys() - {str(workload) for workload in present})
    if unknown:
        raise RefusedError(
            f"image_map: there is no {', '.join(unknown)}: write names as 'Deployment namespace/name'",
            id="image-map-workload-unknown",
        )
    for workload in present:
        strange = sorted(given.get(str(workload), {}).keys() - workload.images.keys())
        if strange:
            raise RefusedError(
                f"image_map: {workload} has no container {', '.join(strange)}: it has {', '.join(sorted(workload.images))}",
                id="image-map-container-unknown",
            )


def _age(taken: Facts | None) -> str:
    if taken is None or "taken" not in taken:
        return ""
    minutes = int((datetime.now(UTC) - datetime.fromisoformat(taken["taken"])).total_seconds() // 60)
    return f"{minutes // 60} h {minutes % 60} min"


def name_of_backup(taken: Facts) -> str:
    """Its archive's name, without what it ends with."""
    name: str = taken["name"]
    return name.removesuffix(".tar.gz")


def _records(session: Session, fact: str) -> Iterator[Record]:
    """The records that hold `fact`: the migrations', newest first, then the backups'. Only names are read for it."""
    keys, platform = session.keys, session.platform.name
    for kind in (MIGRATIONS, BACKUPS):
        for name in names_of(keys, platform, kind, fact):
            yield Record(keys, platform, name, kind=kind)
