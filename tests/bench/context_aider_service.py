"""aider's own RepoMap behind JSON lines; runs in an environment of its own that has aider's package and nothing of ours.

A request: ``{"root", "chat", "others", "idents", "budget"}``, the paths relative to ``root``; a reply: ``{"text"}``.
"""

import json
import os
import sys
from pathlib import Path

from aider.repomap import RepoMap

CHARACTERS_PER_TOKEN = 4.0
"""Of Python code in ``o200k_base``; the harness cuts exactly."""


class Model:
    def token_count(self, text):
        return len(text) / CHARACTERS_PER_TOKEN


class Io:
    def read_text(self, path):
        try:
            return Path(path).read_text(encoding="utf-8")
        except OSError:
            return None

    def tool_output(self, *_words):
        pass

    tool_warning = tool_error = tool_output


class OncePerQuestion(RepoMap):
    """Ranks once for all budgets of a question: only the rendering depends on the budget."""

    def load_tags_cache(self):
        self.TAGS_CACHE = {}

    def get_ranked_tags(self, chat_fnames, other_fnames, mentioned_fnames, mentioned_idents, progress=None):
        key = (frozenset(chat_fnames), frozenset(other_fnames), frozenset(mentioned_idents), self.question)
        if getattr(self, "ranked", (None,))[0] != key:
            self.ranked = (key, super().get_ranked_tags(chat_fnames, other_fnames, mentioned_fnames, mentioned_idents))
        return self.ranked[1]


def main():
    # What a library prints must not stand between two replies.
    replies, sys.stdout = os.fdopen(os.dup(1), "w", encoding="utf-8"), sys.stderr
    os.dup2(2, 1)
    repo_map = None
    for line in sys.stdin:
        request = json.loads(line)
        root = request["root"]
        if repo_map is None or repo_map.root != root:
            repo_map = OncePerQuestion(root=root, main_model=Model(), io=Io(), refresh="always")
        repo_map.max_map_tokens = request["budget"]
        repo_map.question = request["question"]
        text = repo_map.get_repo_map(
            [f"{root}/{request['chat']}"],
            [f"{root}/{path}" for path in request["others"]],
            mentioned_idents=set(request["idents"]),
        )
        replies.write(json.dumps({"text": text or ""}) + "\n")
        replies.flush()


if __name__ == "__main__":
    main()
