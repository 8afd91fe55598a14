"""The stop rules under any cutting of the stream: what was returned once is only added to until the end is reported."""

from __future__ import annotations

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from dragoman.completion.shape import shape_at
from dragoman.completion.stopping import StopRules
from dragoman.limits import BLOCK_LINES
from dragoman.models.profiles import special_tokens
from tests.support.scripted import query_at

DOCUMENTS = (
    "def f():\n    ‸\n    return result\n",
    "total = ‸\nprint(total)\n",
    "if (ready) {‸\n}\n",
    "  if (ready) {‸",
    "func f() {\n\t‸\n}\n",
    "‸",
    "class A:\n    def f(self):‸\n",
    "class A {\n  f(xs) {\n    ‸\n  }\n}\n",
    "```python\n‸\n```\n",
    "x = [‸]\n",
)
PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""A loaded machine is no failure."""
PIECES = st.sampled_from(
    [
        *("\n", "\n\n", "\r\n", "\r", " ", "    ", "        ", "\t", "  "),
        *("}", "{", ")", "(", "]", "} else {", "else:", "else", "end", "</div>", "case 1:", ";"),
        *("return result", "print(total)", "total = ", "x = 1", "for x in xs:", "def g():", "@cache", "if (a) {"),
        *("```", "```python", "`", "``", "<|endoftext|>", "<|fim_", "<", "<|", "middle|>", "<|im_end|>"),
        *("name", "é", "名", "👨‍👩‍👧", "abcabcabcabcabcabc", "x += 1\n", "    x += 1\n", '"', "'"),
    ]
)
ANSWERS = st.lists(PIECES, max_size=24).map("".join)
PLACES = st.tuples(st.sampled_from(DOCUMENTS), st.sampled_from(["python", "javascript", "go", "markdown"]))
SPECIAL = frozenset(special_tokens("qwen"))


def rules_at(place: tuple[str, str]) -> StopRules:
    document, language = place
    query = query_at(document, language=language)
    return StopRules(query, shape_at(query, "auto"), SPECIAL)


def stream(rules: StopRules, answer: str, borders: list[int]) -> list[tuple[str, bool]]:
    """Return every result for ``answer`` cut at ``borders``, up to the first that ends."""
    results = []
    for border in sorted({border % (len(answer) + 1) for border in borders}):
        results.append(rules.cut(answer[:border], done=False))
        if results[-1][1]:
            return results
    return [*results, rules.cut(answer, done=True)]


@PATIENT
@given(PLACES, ANSWERS, st.lists(st.integers(0, 400), max_size=30))
@example((DOCUMENTS[7], "javascript"), "for (const x of xs) {\n  log(x);\n}", list(range(34)))
@example((DOCUMENTS[1], "python"), "total = sum(values)", list(range(20)))
@example((DOCUMENTS[0], "python"), "```python\nreturn 1\n```", list(range(23)))
@example((DOCUMENTS[0], "python"), "a = 1<|endoftext|>b", list(range(20)))
@example((DOCUMENTS[1], "python"), "a\r\nb", list(range(5)))
def test_text_only_grows_until_the_end(place: tuple[str, str], answer: str, borders: list[int]) -> None:
    results = stream(rules_at(place), answer, borders)
    shown = ""
    for text, ended in results:
        if not ended:
            assert text.startswith(shown)
            shown = text
    assert results[-1][1]


@PATIENT
@given(PLACES, ANSWERS, st.lists(st.integers(0, 400), max_size=30))
def test_the_end_does_not_depend_on_the_pieces(place: tuple[str, str], answer: str, borders: list[int]) -> None:
    rules = rules_at(place)
    assert stream(rules, answer, borders)[-1] == rules.cut(answer, done=True)


@PATIENT
@given(PLACES, ANSWERS)
def test_nothing_is_invented_and_nothing_special_remains(place: tuple[str, str], answer: str) -> None:
    text, ended = rules_at(place).cut(answer, done=True)
    assert ended
    assert text.count("\n") < BLOCK_LINES + 1
    assert not any(token in text for token in SPECIAL)
    # Only indentation is ever added: everything else is in the answer, in its order.
    said = iter(answer)
    assert all(char in said for char in text if not char.isspace())


@PATIENT
@given(PLACES, st.text(max_size=200))
def test_any_text_is_survived(place: tuple[str, str], answer: str) -> None:
    text, ended = rules_at(place).cut(answer, done=True)
    assert ended
    assert len(text) <= len(answer) * 10 + 100
