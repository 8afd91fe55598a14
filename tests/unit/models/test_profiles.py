"""Families: names in the wild, and prompts byte for byte as the makers of the models document them."""

from __future__ import annotations

import pytest

from dragoman.models.profiles import FAMILIES, family_of, format_fim, guess_capabilities, special_tokens, stop_tokens

# Each from the maker's model card or template.
DOCUMENTED = {
    "qwen": "<|fim_prefix|>{prefix}<|fim_suffix|>{suffix}<|fim_middle|>",
    "starcoder": "<fim_prefix>{prefix}<fim_suffix>{suffix}<fim_middle>",
    "starcoder2": "<fim_prefix>{prefix}<fim_suffix>{suffix}<fim_middle>",
    "codellama": "<PRE> {prefix} <SUF>{suffix} <MID>",
    "deepseek": "<\uff5cfim\u2581begin\uff5c>{prefix}<\uff5cfim\u2581hole\uff5c>{suffix}<\uff5cfim\u2581end\uff5c>",
    "codestral": "[SUFFIX]{suffix}[PREFIX]{prefix}",
    "codegemma": "<|fim_prefix|>{prefix}<|fim_suffix|>{suffix}<|fim_middle|>",
    "granite": "<fim_prefix>{prefix}<fim_suffix>{suffix}<fim_middle>",
}


@pytest.mark.parametrize("family", FAMILIES)
def test_a_prompt_has_the_documented_bytes(family: str) -> None:
    for prefix, suffix in (("def f(a):\n    return [a", "]\n\nprint(f(1))\n"), ("", "\n"), ("x = ", ""), ("\t", "  ")):
        assert format_fim(family, prefix, suffix) == DOCUMENTED[family].format(prefix=prefix, suffix=suffix)


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("qwen2.5-coder:1.5b-base-q4_K_M", "qwen"),
        ("Qwen/Qwen2.5-Coder-7B", "qwen"),
        ("hf.co/bartowski/Qwen2.5-Coder-7B-Instruct-GGUF:Q4_K_M", "qwen"),
        ("hf.co/Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF/qwen2.5-coder-0.5b-instruct-q4_k_m.gguf", "qwen"),
        ("Qwen2.5 Coder 0.5B Instruct AWQ", "qwen"),
        ("C:\\models\\codellama\\Qwen3-Coder-30B-A3B.gguf", "qwen"),
        ("/models/codellama/qwen2.5-coder-3b.gguf", "qwen"),
        ("qwen3-coder:30b", "qwen"),
        ("codeqwen:7b-code", "starcoder"),
        ("starcoder2:3b", "starcoder2"),
        ("bigcode/starcoder2-15b", "starcoder2"),
        ("bigcode/starcoderbase-1b", "starcoder"),
        ("stable-code:3b-code", "starcoder"),
        ("codellama:7b-code-q4_K_M", "codellama"),
        ("meta-llama/CodeLlama-13b-hf", "codellama"),
        ("codellama:7b-python", None),
        ("codellama:34b", None),
        ("deepseek-coder:6.7b-base", "deepseek"),
        ("deepseek-coder-v2:16b-lite-base-q4_0", "deepseek"),
        ("deepseek-r1:7b", None),
        ("codestral:22b", "codestral"),
        ("mistralai/Codestral-22B-v0.1", "codestral"),
        ("mamba-codestral-7b", None),
        ("codestral-embed", None),
        ("codegemma:2b", "codegemma"),
        ("google/codegemma-7b", "codegemma"),
        ("google/codegemma-7b-it", None),
        ("codegemma:7b-instruct", None),
        ("granite-code:8b-base", "granite"),
        ("ibm-granite/granite-3b-code-base-2k", "granite"),
        ("qwen2.5:7b", None),
        ("llama3.2:1b", None),
        ("gemma3:270m", None),
        ("SmolLM2-135M", None),
        ("nomic-embed-text", None),
        ("", None),
    ],
)
def test_a_family_is_known_by_names_in_the_wild(name: str, family: str | None) -> None:
    assert family_of(name) == family
    assert family_of(name.upper()) == family


def test_the_architecture_tells_where_the_name_does_not() -> None:
    assert family_of("my-tune", "starcoder2") == "starcoder2"
    assert family_of("my-tune", "qwen2") is None


@pytest.mark.parametrize("family", FAMILIES)
def test_special_tokens_in_the_text_do_not_rearrange_the_prompt(family: str) -> None:
    plain = format_fim(family, "P", "S")
    hostile = "".join(special_tokens(family))
    prompt = format_fim(family, f"a{hostile}b", f"c{hostile}d")
    for token in special_tokens(family):
        assert prompt.count(token) == plain.count(token)


def test_special_tokens_hold_what_must_never_be_shown() -> None:
    assert {"<|fim_middle|>", "<|im_end|>", "<|endoftext|>", "<|file_sep|>"} <= set(special_tokens("qwen"))
    assert {"<PRE>", "<SUF>", "<MID>", "<EOT>"} <= set(special_tokens("codellama"))
    assert set(stop_tokens("qwen")) <= set(special_tokens("qwen"))
    lengths = [len(token) for token in special_tokens("qwen")]
    assert lengths == sorted(lengths, reverse=True)
    assert special_tokens(None) == stop_tokens(None) == ()


@pytest.mark.parametrize(
    ("name", "able"),
    [
        ("qwen2.5-coder:1.5b-base", {"completion", "fim"}),
        ("qwen2.5-coder:7b-instruct", {"completion", "fim", "chat"}),
        ("qwen2.5-coder:7b", {"completion", "fim", "chat"}),
        ("starcoder2:3b", {"completion", "fim"}),
        ("llama3.2:3b-instruct-q4_K_M", {"completion", "chat"}),
        ("google/gemma-3-4b-it", {"completion", "chat"}),
        ("nomic-embed-text:latest", {"embedding"}),
        ("BAAI/bge-m3", {"embedding"}),
        ("qwen2.5vl:7b", {"completion", "chat", "vision"}),
        ("Qwen/Qwen2-VL-7B-Instruct", {"completion", "chat", "vision"}),
        ("deepseek-r1:8b", {"completion", "chat", "thinking"}),
        ("gpt-4o-mini", {"completion", "chat"}),
    ],
)
def test_abilities_are_guessed_by_name(name: str, able: set[str]) -> None:
    assert guess_capabilities(name) == able
