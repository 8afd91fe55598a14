"""What a model family can do, known from its name: the last fallback after settings and the server's own word.

The fill-in-the-middle templates are the ones each family was trained with, byte for byte
(model cards and tokenizer files of Qwen2.5-Coder, StarCoder, StarCoder2, Code Llama, DeepSeek-Coder, Codestral,
CodeGemma and Granite Code).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from dragoman.models.base import Capability, ModelInfo


@dataclass(frozen=True, slots=True)
class Family:
    """A family's fill-in-the-middle format.

    ``order`` is the order of the parts in the prompt: prefix-suffix-middle or suffix-prefix-middle.
    ``before_prefix``, ``before_suffix`` and ``before_middle`` are put before each part, spaces included.
    ``ends`` are texts that end an answer when a server lets them through; ``special`` all texts never to be shown.
    ``repo_name`` and ``file_separator`` frame other files of the repository, where the family knows such tokens.
    ``window`` is the context in tokens that its smallest member was trained on.
    """

    name: str
    order: Literal["psm", "spm"]
    before_prefix: str
    before_suffix: str
    before_middle: str
    ends: tuple[str, ...]
    others: tuple[str, ...] = ()
    repo_name: str | None = None
    file_separator: str | None = None
    window: int = 8192

    @property
    def special(self) -> tuple[str, ...]:
        """Every special token of the family, longest first, without the spaces of the template."""
        own = (self.before_prefix, self.before_suffix, self.before_middle, self.repo_name, self.file_separator)
        tokens = {token.strip() for token in own if token} | set(self.ends) | set(self.others)
        return tuple(sorted(tokens - {""}, key=lambda token: (-len(token), token)))


_CHATML = ("<|im_start|>", "<|im_end|>")

FAMILIES: dict[str, Family] = {
    family.name: family
    for family in (
        Family(
            name="qwen",
            order="psm",
            before_prefix="<|fim_prefix|>",
            before_suffix="<|fim_suffix|>",
            before_middle="<|fim_middle|>",
            ends=("<|endoftext|>", "<|im_end|>", "<|fim_pad|>", "<|repo_name|>", "<|file_sep|>"),
            others=_CHATML,
            repo_name="<|repo_name|>",
            file_separator="<|file_sep|>",
            window=32_768,
        ),
        Family(
            name="starcoder2",
            order="psm",
            before_prefix="<fim_prefix>",
            before_suffix="<fim_suffix>",
            before_middle="<fim_middle>",
            ends=("<|endoftext|>", "<file_sep>", "<repo_name>"),
            others=("<fim_pad>",),
            repo_name="<repo_name>",
            file_separator="<file_sep>",
            window=16_384,
        ),
        Family(
            name="starcoder",
            order="psm",
            before_prefix="<fim_prefix>",
            before_suffix="<fim_suffix>",
            before_middle="<fim_middle>",
            ends=("<|endoftext|>", "<filename>", "<reponame>"),
            others=("<fim_pad>", "<gh_stars>"),
            repo_name="<reponame>",
            file_separator="<filename>",
        ),
        Family(
            name="codellama",
            order="psm",
            # The vocabulary's tokens are "▁<PRE>", "▁<SUF>" and "▁<MID>": a space belongs to each.
            before_prefix="<PRE> ",
            before_suffix=" <SUF>",
            before_middle=" <MID>",
            ends=(" <EOT>", "<EOT>", "</s>"),
            window=16_384,
        ),
        Family(
            name="deepseek",
            order="psm",
            # Full-width bars (U+FF5C) and lower one eighth blocks (U+2581), not ASCII.
            before_prefix="<｜fim▁begin｜>",
            before_suffix="<｜fim▁hole｜>",
            before_middle="<｜fim▁end｜>",
            ends=("<｜end▁of▁sentence｜>", "<|EOT|>"),
            others=("<｜begin▁of▁sentence｜>",),
            window=16_384,
        ),
        Family(
            name="codestral",
            order="spm",
            before_prefix="[PREFIX]",
            before_suffix="[SUFFIX]",
            before_middle="",
            ends=("</s>", "[MIDDLE]"),
            others=("[PREFIX]", "[SUFFIX]"),
            window=32_768,
        ),
        Family(
            name="codegemma",
            order="psm",
            before_prefix="<|fim_prefix|>",
            before_suffix="<|fim_suffix|>",
            before_middle="<|fim_middle|>",
            ends=("<|file_separator|>", "<eos>", "<end_of_turn>"),
            others=("<start_of_turn>", "<bos>"),
            file_separator="<|file_separator|>",
        ),
        Family(
            name="granite",
            order="psm",
            before_prefix="<fim_prefix>",
            before_suffix="<fim_suffix>",
            before_middle="<fim_middle>",
            ends=("<|endoftext|>", "<filename>", "<reponame>"),
            others=("<fim_pad>",),
            repo_name="<reponame>",
            file_separator="<filename>",
            window=2_048,
        ),
    )
}

_SEPARATOR = r"[-_. ]?"
_NAMES: tuple[tuple[str, re.Pattern[str], re.Pattern[str] | None], ...] = tuple(
    (family, re.compile(name.replace("~", _SEPARATOR)), re.compile(unless) if unless else None)
    for family, name, unless in (
        # CodeQwen1.5 was trained with StarCoder's tokens.
        ("starcoder", r"codeqwen", ""),
        ("qwen", r"qwen.*coder", ""),
        ("starcoder2", r"star~coder~2", ""),
        ("starcoder", r"star~coder|stable~code|refact", ""),
        # The Python variant and the two big ones were not trained to fill in.
        ("codellama", r"code~llama", r"python|34b|70b"),
        ("deepseek", r"deepseek~coder", ""),
        ("codestral", r"codestral", r"mamba|embed"),
        # Only the pretrained CodeGemma fills in, the instruction-tuned one chats.
        ("codegemma", r"code~gemma", r"instruct|\bit\b"),
        ("granite", r"granite.*code", r"embed"),
    )
)
_ARCHITECTURES = {"starcoder": "starcoder", "starcoder2": "starcoder2"}


@lru_cache(maxsize=512)
def family_of(model_name: str, architecture: str = "") -> str | None:
    """Name the template of a model by its name, else by its architecture; None when it cannot fill in the middle.

    Understands registry prefixes, tags, quantisation suffixes and paths: ``qwen2.5-coder:1.5b-base-q4_K_M``,
    ``Qwen/Qwen2.5-Coder-7B``, ``hf.co/org/Name-GGUF:Q4_K_M``, ``/models/name.gguf``.
    """
    name = model_name.lower().replace("\\", "/").rstrip("/")
    for part in (name.rpartition("/")[2], name):
        for family, pattern, unless in _NAMES:
            if pattern.search(part):
                return None if unless and unless.search(part) else family
    return _ARCHITECTURES.get(architecture.lower())


def format_fim(family: str, prefix: str, suffix: str) -> str:
    """Put the text around the cursor into the family's template; raises KeyError for an unknown family.

    Special tokens that stand in the text itself are taken apart with a space, else a source file about
    language models would rearrange its own prompt.
    """
    shape = FAMILIES[family]
    before = shape.before_prefix + neutralise(family, prefix)
    after = shape.before_suffix + neutralise(family, suffix)
    return (before + after if shape.order == "psm" else after + before) + shape.before_middle


def format_files(family: str, repository: str, files: Iterable[tuple[str, str]], path: str) -> str | None:
    """Frame other files of the repository, as (path, text), to stand before the template of the file at ``path``.

    None for a family without tokens for that.
    """
    shape = FAMILIES[family]
    if shape.file_separator is None:
        return None
    head = f"{shape.repo_name}{neutralise(family, repository)}\n" if shape.repo_name else ""
    parts = [f"{shape.file_separator}{neutralise(family, name)}\n{neutralise(family, text)}\n" for name, text in files]
    return head + "".join(parts) + f"{shape.file_separator}{neutralise(family, path)}\n"


def neutralise(family: str, text: str) -> str:
    """Break up the family's special tokens in a text that is only to be read."""
    for token in _SPECIAL[family]:
        if token in text:
            text = text.replace(token, f"{token[0]} {token[1:]}")
    return text


def special_tokens(family: str | None) -> tuple[str, ...]:
    """Return the texts never to be shown to a user, longest first; none for a model without a family."""
    return _SPECIAL[family] if family else ()


def stop_tokens(family: str | None) -> tuple[str, ...]:
    """Return the texts that end an answer of this family if the server lets them through."""
    return FAMILIES[family].ends if family else ()


_SPECIAL = {name: family.special for name, family in FAMILIES.items()}

_EMBEDDING = re.compile(r"embed|sentence|\bbge\b|\be5\b|\bgte\b|minilm|rerank")
_INSTRUCT = re.compile(r"instruct|chat|assistant|\bit\b")
_BASE = re.compile(r"\bbase\b|\bpt\b|[-:]code\b|[-:]text\b|starcoder|stable.?code(?!.*instruct)")
_VISION = re.compile(r"\bvl\b|vision|llava|pixtral|moondream|minicpm.?v|[0-9]vl\b")
_THINKING = re.compile(r"\br1\b|qwq|think|reason|gpt.?oss|\bo[134]\b")


@lru_cache(maxsize=512)
def guess_capabilities(model_name: str, architecture: str = "") -> frozenset[Capability]:
    """Guess from its name what a model can do; used only where neither settings nor server say."""
    words = re.sub(r"[_/ ]", "-", model_name.lower())
    if _EMBEDDING.search(words):
        return frozenset({"embedding"})
    able: set[Capability] = {"completion"}
    if family_of(model_name, architecture):
        able.add("fim")
    if _INSTRUCT.search(words) or not _BASE.search(words):
        able.add("chat")
    if _VISION.search(words):
        able.add("vision")
    if _THINKING.search(words):
        able.add("thinking")
    return frozenset(able)


_SIZES: tuple[tuple[str, int], ...] = (("7b", 4096), ("13b", 8192), ("34b", 16_384), ("70b", 16_384))
_SIZE_UNKNOWN = 2048


@dataclass(frozen=True, slots=True)
class Window:
    """A model's context in tokens, and whether that is only a guess: nobody shall be refused anything because of a guess."""

    tokens: int
    guessed: bool = False


def window_of(info: ModelInfo) -> Window:
    """Return the context that the settings or the server told; a guess by family, else by name, only where neither did."""
    if info.context_window is not None:
        return Window(info.context_window)
    return Window(guess_window(info.name), guessed=True)


@lru_cache(maxsize=512)
def guess_window(model_name: str) -> int:
    """Guess from its name how many tokens a model's context has: by its family, else by the size in the name.

    The sizes are cautious: what is sent to a model whose window is unknown should fit into it.
    """
    family = family_of(model_name)
    if family is not None:
        return FAMILIES[family].window
    words = re.findall(r"[0-9.]+b\b", model_name.lower().replace("_", "-"))
    return next((tokens for size, tokens in _SIZES if size in words), _SIZE_UNKNOWN)
