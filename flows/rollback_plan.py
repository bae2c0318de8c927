"""What a rollback will do: which backup, which images; chosen once, told in words, kept in its record."""

from __future__ import annotations

from datetime import UTC, datetime

from blocks.errors import RefusedError
from flows.session import Session
from tasks.database.archive import BACKUP, described
from tasks.engine.record import BACKUPS, MIGRATIONS, PLAN, Facts, Record, names_of
from tasks.images.record import NEW
from tasks.images.rollout import Images, recorded_images, wanted_images


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
            "or end it with abandon=true"
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
    known = [taken for record in _records(session) if (taken := record.read(BACKUP)) is not None]
    if wanted is None:
        if not known:
            raise RefusedError("no backup is in the record of a migration or of a scheduled run: give backup=NAME")
        return known[0]
    return next((taken for taken in known if name_of_backup(taken) == wanted), {"name": f"{wanted}.tar.gz"})


def _choose_images(session: Session, source: str, given: Images | None) -> Images:
    """The images to set: given by hand, or as recorded by the last migration or else backup; only what differs now."""
    present = session.kube.workloads()
    if given is not None:
        unknown = sorted(given.keys() - {str(workload) for workload in present})
        if unknown:
            raise RefusedError(
                f"image_map: there is no {', '.join(unknown)}: write names as 'Deployment namespace/name'"
            )
        for workload in present:
            strange = sorted(given.get(str(workload), {}).keys() - workload.images.keys())
            if strange:
                raise RefusedError(f"image_map: {workload} has no container {', '.join(strange)}: {workload.images}")
        return wanted_images(given, present)
    for record in _records(session):
        if record.read(NEW) is not None:
            return wanted_images(recorded_images(record, source), present)
    raise RefusedError("neither a migration nor a backup of this platform recorded any images: give image_map")


def _age(taken: Facts | None) -> str:
    if taken is None or "taken" not in taken:
        return ""
    minutes = int((datetime.now(UTC) - datetime.fromisoformat(taken["taken"])).total_seconds() // 60)
    return f"{minutes // 60} h {minutes % 60} min"


def name_of_backup(taken: Facts) -> str:
    """Its archive's name, without what it ends with."""
    name: str = taken["name"]
    return name.removesuffix(".tar.gz")


def _records(session: Session) -> list[Record]:
    """The migrations' records, newest first, then the backups'."""
    keys, platform = session.keys, session.platform.name
    return [
        Record(keys, platform, name, kind=kind)
        for kind in (MIGRATIONS, BACKUPS)
        for name in sorted(names_of(keys, platform, kind), reverse=True)
    ]
