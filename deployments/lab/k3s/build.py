"""Pack the stand-in into one executable file.

    build.py OUT_DIR

After it, OUT_DIR holds `k3s` and `install-k3s.sh`, both executable. The same sources give the same bytes, so that
whoever keys a cache by them builds again only when something changed.
"""

import io
import os
import sys
import zipfile
from pathlib import Path

_HERE = Path(__file__).parent
_NOT_PACKED = {"build.py"}
DEFAULT = "1.20.8"
_MAIN = "import sys\n\nfrom k3s.cli import main\n\nsys.exit(main())\n"
# Isolated, and without site: nothing on the machine changes what runs, and it starts in half the time.
_SHEBANG = b"#!/usr/bin/python3 -IS\n"


def pack(version: str = DEFAULT) -> bytes:
    """The bytes of the executable that plays this version."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for source in sorted(_HERE.glob("*.py")):
            if source.name not in _NOT_PACKED:
                _add(archive, f"k3s/{source.name}", _played(source, version))
        _add(archive, "__main__.py", _MAIN)
    return _SHEBANG + buffer.getvalue()


def _played(source: Path, version: str) -> str:
    text = source.read_text()
    return text.replace(f'VERSION = "{DEFAULT}"', f'VERSION = "{version}"') if source.name == "plays.py" else text


def _add(archive: zipfile.ZipFile, name: str, text: str) -> None:
    entry = zipfile.ZipInfo(name, date_time=(2021, 1, 21, 0, 0, 0))
    entry.compress_type = zipfile.ZIP_DEFLATED
    archive.writestr(entry, text)


def main(out: Path) -> None:
    """Make OUT_DIR/k3s and OUT_DIR/install-k3s.sh."""
    out.mkdir(parents=True, exist_ok=True)
    _place(out / "k3s", pack(os.environ.get("LAB_K3S_VERSION", DEFAULT)))
    _place(out / "install-k3s.sh", (_HERE / "install-k3s.sh").read_bytes())


def _place(path: Path, content: bytes) -> None:
    beside = path.with_name(f".{path.name}.new")
    beside.write_bytes(content)
    beside.chmod(0o755)
    beside.replace(path)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: build.py OUT_DIR")
    main(Path(sys.argv[1]))
