"""Why there is no suggestion, in one sentence each, with what to do about it: for the doctor and for the status bar."""

from __future__ import annotations

_REASONS: dict[str, tuple[str, str]] = {
    "ok": ("Suggestions work.", ""),
    "disabled": ("Completion is switched off.", "Set completion.enabled = true."),
    "language_excluded": (
        "This language is excluded from completion.",
        "Take it out of completion.languages.exclude.",
    ),
    "no_model": (
        "There is no model that can complete; names from the document are offered instead.",
        "Get the embedded model with `dragoman models pull`, or start a model server.",
    ),
    "loading": ("The model is being loaded.", "Wait: the first suggestion comes as soon as it is in memory."),
    "not_fim": (
        "The model cannot fill in the middle: it does not see the text after the cursor.",
        "Use a model made for completion, such as qwen2.5-coder.",
    ),
    "ignored_file": (
        "This file is never sent to a model on another machine, because its name says that it holds keys.",
        "Use a model on this machine for it.",
    ),
    "too_large": ("The line is too long to be completed.", "Break it up; nothing else in the file is affected."),
    "binary": ("This is not a text file.", ""),
    "filtered": (
        "The model answered, but with nothing worth showing.",
        "Type on, or ask at another place.",
    ),
    "empty_answer": ("The model had nothing to add here.", "Type on, or ask at another place."),
    "unlikely": (
        "The model's answer was kept back: it is not likely to be right.",
        "Ask for it by key to see it, or lower completion.show_threshold.",
    ),
    "slow": (
        "The model is too slow for suggestions while you type.",
        'Use a smaller model, or set completion.trigger = "invoked".',
    ),
    "model_error": ("The last call to the model failed.", "Run `dragoman doctor`: it says why."),
    "superseded": ("A newer keystroke took the place of this one.", ""),
}

_FILTERS: dict[str, str] = {
    "special tokens": "only the model's own control words",
    "prose": "talk instead of code",
    "indentation": "a line of another block",
    "suffix lines": "lines that stand below already",
    "suffix overlap": "what stands behind the cursor already",
    "brackets": "only brackets that do not fit here",
    "syntax": "code that would break the file",
    "selected item": "it does not go on from the selected item",
    "trailing space": "only blanks",
    "blank": "only blanks",
}
"""What the filters of `dragoman.completion.postprocess` take away, in words that need no knowledge of them."""


def explain_reason(reason: str, detail: str = "") -> tuple[str, str]:
    """Return a sentence and advice for a reason of the completion engine; ``detail`` goes in brackets behind it.

    A detail ``filtered: NAME`` is told in the words of `_FILTERS`, and what says the same as the sentence is left out.
    """
    said, advice = _REASONS.get(reason, (f"There is no suggestion ({reason}).", "Run `dragoman doctor`."))
    if reason == "filtered":
        name = detail.removeprefix("filtered:").strip()
        detail = _FILTERS.get(name, name)
    if detail and detail.casefold() not in said.casefold():
        said = f"{said[:-1]} ({detail.strip().rstrip('.')})."
    return said, advice
