"""docs/architecture.md shows the tree that there is, and documents link to files that exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ARCHITECTURE = ROOT / "docs" / "architecture.md"
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("suites/*/*.md")])


def shown() -> set[str]:
    """The paths of the tree in the document: two levels below harness/."""
    tree = ARCHITECTURE.read_text(encoding="utf-8").split("## Where things live")[1].split("```")[1]
    inside = tree.split("harness/\n", 1)[1].split("\nsuites/", 1)[0]
    paths, folder = set(), ""
    for line in inside.splitlines():
        name = line.split()[0]
        if line.startswith("    "):
            paths.add(folder + name)
        else:
            folder = name
            paths.add(name)
    return paths


def test_the_tree_in_the_document_is_the_tree() -> None:
    package = ROOT / "harness"
    real = {f"{path.relative_to(package)}" for path in [*package.glob("*.py"), *package.glob("*/*.py")]}
    real |= {f"{path.parent.relative_to(package)}/" for path in package.glob("*/__init__.py")}
    told = shown()
    # a folder's own line stands for its __init__.py
    missing = {path for path in real - told if not path.endswith("/__init__.py")}
    assert not missing, f"docs/architecture.md lacks {sorted(missing)}"
    gone = {path for path in told if not (package / path).exists()}
    assert not gone, f"docs/architecture.md still shows {sorted(gone)}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    text = re.sub(r"```.*?```", "", document.read_text(encoding="utf-8"), flags=re.DOTALL)
    links = re.findall(r"\]\(([^)#\s]+)", text)
    dead = [link for link in links if "://" not in link and not (document.parent / link).exists()]
    assert not dead
