"""``python -m dragoman.context --name dragoman-index --root … --index FILE``: the index's process, started by its client.

With ``--crawl`` it is the crawler, started by the index's process.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dragoman.context.workspace.git_changes import GitChanges
    from dragoman.context.workspace.overlays import Overlays
    from dragoman.context.workspace.store import IndexStore
    from dragoman.context.workspace.worker import Answers


def main() -> int:
    """Be one of the index's processes until the parent's end of the pipe closes."""
    parser = argparse.ArgumentParser(prog="dragoman-index")
    parser.add_argument("--name", help="what lists of processes show")
    parser.add_argument("--crawl", action="store_true")
    parser.add_argument("--root", type=Path)
    parser.add_argument("--index", type=Path)
    options = parser.parse_args()
    if options.crawl:
        from dragoman.context.workspace import crawler

        return crawler.main()
    if options.root is None or options.index is None:
        parser.error("--root and --index are needed")
    from dragoman.context.workspace.process import enter
    from dragoman.context.workspace.worker import Worker

    Worker(options.root, options.index, enter(), _make_answers).run()
    return 0


def _make_answers(store: IndexStore, root: Path, overlays: Overlays, changes: GitChanges) -> Answers:
    from dragoman.context.retrieval.retriever import Retriever

    answers: Answers = Retriever(store, root, overlays, changes=changes)
    return answers


if __name__ == "__main__":
    sys.exit(main())
