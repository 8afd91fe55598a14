"""The doctor names the cause of each set-up failure that users of such tools report, and says what to do."""

from __future__ import annotations

import ssl
import subprocess
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, get_args

import pytest

from dragoman.completion.postprocess import FILTERS
from dragoman.completion.query import Reason
from dragoman.errors import DragomanError
from dragoman.models.base import Chunk, CompletionRequest, ModelInfo
from dragoman.models.diagnosis import (
    FimProbe,
    Finding,
    check_embedded,
    check_fim,
    conclude,
    diagnose,
    explain_reason,
    judge,
    worst,
)
from dragoman.models.diagnosis.configuration import check_proxies
from dragoman.models.discovery import find_sources, read_wishes
from dragoman.models.manager import ModelManager
from dragoman.models.providers import embedded, make_provider
from dragoman.models.providers.endpoint import Endpoint
from dragoman.models.selection import Source
from dragoman.models.weights import DEFAULT_MODEL, WeightsStore, find_entry
from dragoman.settings import LoadedSettings, load_settings
from tests.support.fake_http import Connection, HttpServer, Request
from tests.support.fake_model import FakeModel, Script
from tests.support.tools import require

WORKS = "quorvin, zelph"
"""What only a model says that has read the text after the cursor."""

MODEL = "qwen2.5-coder:1.5b-base"


def configured(tmp_path: Path, text: str, **more: Any) -> LoadedSettings:
    file = tmp_path / "config.toml"
    file.write_text(text, encoding="utf-8")
    more.setdefault("environ", {})
    return load_settings(config_file=file, **more)


@asynccontextmanager
async def managed(loaded: LoadedSettings, sources: Sequence[Source] | None = None) -> AsyncIterator[ModelManager]:
    settings = loaded.settings
    manager = ModelManager(find_sources(settings) if sources is None else sources, read_wishes(settings))
    try:
        yield manager
    finally:
        await manager.aclose()


async def examine(loaded: LoadedSettings, sources: Sequence[Source] | None = None, **how: Any) -> list[Finding]:
    async with managed(loaded, sources) as manager:
        return [finding async for finding in diagnose(loaded, manager, **how)]


async def doctor(tmp_path: Path, text: str, **how: Any) -> list[Finding]:
    return await examine(configured(tmp_path, text), **how)


def one(findings: list[Finding], code: str) -> Finding:
    found = [finding for finding in findings if finding.code == code]
    assert found, f"no {code!r} among {[(finding.code, finding.sentence) for finding in findings]}"
    return found[0]


def provider(kind: str, url: str, more: str = "") -> str:
    return f"[[providers]]\nname = 'mine'\nkind = '{kind}'\nbase_url = '{url}'\n{more}\n"


# -- when all is well --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "tail"), [("ollama", ""), ("openai", "/v1"), ("llamacpp", "")])
async def test_a_provider_that_works_is_shown_with_what_was_measured(tmp_path: Path, kind: str, tail: str) -> None:
    async with FakeModel(Script(text=WORKS, models=[MODEL])) as fake:
        findings = await doctor(tmp_path, provider(kind, fake.url + tail))
    up = one(findings, "provider_up")
    assert up.facts["latency_ms"] > 0
    assert MODEL in up.sentence
    assert one(findings, "role_filled").facts["model"] == MODEL
    assert one(findings, "fim_works").severity == "ok"
    verdict = conclude([finding for finding in findings if finding.code != "slow"])
    assert (verdict.severity, verdict.sentence) == ("ok", "Everything works: open a file and type.")


# -- no model ----------------------------------------------------------------------------------------------------------


async def test_no_model_at_all(tmp_path: Path) -> None:
    async with FakeModel() as fake:
        free = fake.port
    endpoint = Endpoint("ollama", "ollama", f"http://127.0.0.1:{free}")
    sources = [Source(make_provider(endpoint), "detected"), Source(embedded.EmbeddedProvider(), "embedded")]
    findings = await examine(configured(tmp_path, ""), sources)
    assert "nothing listens where ollama usually do" in one(findings, "none").sentence
    missing = one(findings, "no_weights")
    assert missing.severity == "error"
    assert "dragoman models pull" in missing.advice
    assert one(findings, "no_model").severity == "error"
    assert conclude(findings).severity == "error"


async def test_an_unknown_model_name_is_not_silence(tmp_path: Path) -> None:
    async with FakeModel(Script(text=WORKS, models=[MODEL])) as fake:
        text = "[models.roles]\ncompletion = ['qwen2.5-codr:1.5b']\n" + provider("ollama", fake.url)
        findings = await doctor(tmp_path, text)
    unknown = one(findings, "unknown_model")
    assert unknown.severity == "warning"
    assert "'qwen2.5-codr:1.5b'" in unknown.sentence
    assert f"The nearest is {MODEL!r}" in unknown.sentence
    assert "ollama pull qwen2.5-codr:1.5b" in unknown.advice


async def test_a_default_model_that_is_not_pulled(tmp_path: Path) -> None:
    async with FakeModel(Script(text=WORKS, models=[MODEL], strict_models=True)) as fake:
        findings = await doctor(tmp_path, provider("ollama", fake.url, "default_model = 'starcoder2:3b'"))
    unknown = one(findings, "unknown_model")
    assert "no model 'starcoder2:3b'" in unknown.sentence
    assert "ollama pull starcoder2:3b" in unknown.advice


async def test_a_stated_model_that_is_not_pulled(tmp_path: Path) -> None:
    more = "models = [{ name = 'qwen2.5-coder:7b', roles = ['completion'] }]"
    async with FakeModel(Script(text=WORKS, models=[MODEL], strict_models=True)) as fake:
        findings = await doctor(tmp_path, provider("ollama", fake.url, more))
    failed = one(findings, "model_not_found")
    assert failed.severity == "error"
    assert "qwen2.5-coder:7b" in failed.sentence
    assert failed.advice


async def test_a_server_without_any_model(tmp_path: Path) -> None:
    async with FakeModel(Script(models=[], dialects=["ollama"])) as fake:
        findings = await doctor(tmp_path, provider("ollama", fake.url))
    assert "ollama pull" in one(findings, "no_models").advice
    assert conclude(findings).severity == "error"


# -- the wrong kind of model -------------------------------------------------------------------------------------------


async def test_a_chat_model_for_completion(tmp_path: Path) -> None:
    async with FakeModel(Script(text="Sure!", models=["llama3.1:8b"], capabilities=["completion"])) as fake:
        findings = await doctor(tmp_path, provider("ollama", fake.url))
    wrong = one(findings, "not_fim")
    assert wrong.severity == "warning"
    assert "llama3.1:8b" in wrong.sentence
    assert "does not see the text after the cursor" in wrong.sentence
    assert "qwen2.5-coder" in wrong.advice


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("Sure, here is the code: ```python", "answers like a chat model"),
        ("self, x, y", "did not use the text after the cursor"),
    ],
)
async def test_an_instruct_model_where_a_base_model_is_needed(tmp_path: Path, answer: str, said: str) -> None:
    async with FakeModel(Script(text=answer, models=["deepseek-coder:6.7b-instruct"])) as fake:
        findings = await doctor(tmp_path, provider("ollama", fake.url))
    wrong = one(findings, "fim_wrong")
    assert said in wrong.sentence
    assert "base model" in wrong.advice


async def test_special_tokens_that_come_through_are_named() -> None:
    class Named:
        info = ModelInfo("m", "p", frozenset({"fim", "completion"}), fim_family="qwen")

    probe = FimProbe("quorvin<|fim_pad|>, zelph", 0.1, 0.3, 5)
    assert "<|fim_pad|>" in one(judge(Named(), probe), "special_tokens").sentence  # type: ignore[arg-type]


async def test_an_answer_of_nothing(tmp_path: Path) -> None:
    async with FakeModel(Script(text="", models=[MODEL])) as fake:
        findings = await doctor(tmp_path, provider("ollama", fake.url))
    assert one(findings, "fim_empty").severity == "warning"


# -- the wrong address -------------------------------------------------------------------------------------------------


async def test_an_address_without_v1(tmp_path: Path) -> None:
    findings = await doctor(tmp_path, provider("openai", "http://localhost:1234"))
    wrong = one(findings, "settings_error")
    assert wrong.severity == "error"
    assert "write 'http://localhost:1234/v1' instead" in wrong.sentence


async def test_an_address_with_a_superfluous_v1(tmp_path: Path) -> None:
    findings = await doctor(tmp_path, provider("ollama", "http://localhost:11434/v1"))
    assert "write 'http://localhost:11434' instead" in one(findings, "settings_error").sentence


async def test_something_else_on_ollamas_port(tmp_path: Path) -> None:
    async with FakeModel(Script(dialects=["openai"])) as fake:
        asked = await doctor(tmp_path, provider("ollama", fake.url), generate=False)
        found_there = [Source(make_provider(Endpoint("ollama", "ollama", fake.url)), "detected")]
        found = await examine(configured(tmp_path, ""), found_there)
    down = one(asked, "provider_down")
    assert down.severity == "error"
    assert "is not Ollama" in down.sentence or "does not speak" in down.sentence
    assert "kind" in down.advice or "base_url" in down.advice
    assert one(found, "not_its_kind").severity == "note"


async def test_nothing_listens_at_a_configured_address(tmp_path: Path) -> None:
    async with FakeModel() as fake:
        url = fake.url
    down = one(await doctor(tmp_path, provider("ollama", url)), "provider_down")
    assert down.severity == "error"
    assert "nothing listens there" in down.sentence
    assert "ollama serve" in down.advice


# -- keys, certificates, proxies ---------------------------------------------------------------------------------------


async def test_a_key_that_is_not_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_SUCH_KEY", raising=False)
    text = provider("openai", "http://127.0.0.1:9/v1", "api_key = { env = 'NO_SUCH_KEY' }")
    down = one(await doctor(tmp_path, text), "provider_down")
    assert "'NO_SUCH_KEY', which is not set" in down.sentence
    assert "Set it where the editor is started" in down.advice


@pytest.mark.parametrize(("kind", "tail"), [("openai", "/v1"), ("ollama", ""), ("llamacpp", "")])
async def test_a_refused_key_is_called_a_refused_key(tmp_path: Path, kind: str, tail: str) -> None:
    async with FakeModel(Script(api_key="the right one")) as fake:
        findings = await doctor(tmp_path, provider(kind, fake.url + tail, "api_key = 'hunter2'"))
    down = one(findings, "provider_down")
    assert "refused the key" in down.sentence
    assert "api_key" in down.advice
    assert not any("hunter2" in str(finding.as_dict()) for finding in findings)


async def test_a_local_model_that_reports_a_rate_limit(tmp_path: Path) -> None:
    async with FakeModel(Script(status=429, retry_after="7", models=[MODEL])) as fake:
        findings = await doctor(tmp_path, provider("openai", fake.url + "/v1"))
    limited = one(findings, "rate_limited")
    assert "'mine'" in limited.sentence
    assert fake.url in limited.sentence


async def test_a_private_certificate(tmp_path: Path) -> None:
    require("openssl")
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
    command += f" -addext subjectAltName=IP:127.0.0.1 -keyout {key} -out {certificate}"
    subprocess.run(command.split(), check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    async def answer(_request: Request, connection: Connection) -> None:
        await connection.send_json({"version": "1", "models": []})

    server = HttpServer(answer)
    try:
        url = f"https://127.0.0.1:{await server.start(tls=context)}"
        refused = await doctor(tmp_path, provider("ollama", url))
        trusted = await doctor(tmp_path, provider("ollama", url, f"ca_file = '{certificate}'"))
    finally:
        await server.aclose()
    down = one(refused, "provider_down")
    assert "certificate is not trusted" in down.sentence
    assert "ca_file" in down.advice
    assert one(trusted, "no_models")


def test_a_proxy_that_swallows_loopback(tmp_path: Path) -> None:
    text = provider("ollama", "http://localhost:11434", "proxy = 'http://proxy.example:3128'")
    (swallowed,) = check_proxies(configured(tmp_path, text), {})
    assert (swallowed.severity, swallowed.code) == ("warning", "proxy_for_loopback")
    assert "Take proxy out" in swallowed.advice
    (told,) = check_proxies(
        configured(tmp_path, provider("ollama", "http://localhost:11434")), {"http_proxy": "http://p"}
    )
    assert told.severity == "ok"
    (remote,) = check_proxies(configured(tmp_path, provider("ollama", "http://far:11434")), {"HTTP_PROXY": "http://p"})
    assert "NO_PROXY" in remote.advice


async def test_proxies_of_the_environment_do_not_swallow_loopback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    async with FakeModel(Script(text=WORKS, models=[MODEL])) as fake:
        findings = await doctor(tmp_path, provider("ollama", fake.url))
    assert one(findings, "fim_works")


# -- slow, silent, loading ---------------------------------------------------------------------------------------------


class _Named:
    """Stands for a model where only its description is looked at."""

    info = ModelInfo("big", "p", frozenset({"fim", "completion"}), fim_family="qwen")


@pytest.mark.parametrize(
    ("probe", "is_slow"),
    [
        (FimProbe(WORKS, first_token=18.0, total=36.0, tokens=12), True),
        (FimProbe(WORKS, first_token=0.3, total=6.3, tokens=13), True),
        (FimProbe(WORKS, first_token=0.1, total=0.3, tokens=8), False),
        (FimProbe(WORKS, first_token=0.1, total=0.1, tokens=1), False),
    ],
)
def test_a_slow_model_is_called_slow(probe: FimProbe, is_slow: bool) -> None:
    findings = judge(_Named(), probe)  # type: ignore[arg-type]
    speed = one(findings, "slow" if is_slow else "fast")
    assert "first token after" in speed.sentence
    if is_slow:
        assert "smaller model" in speed.advice
        assert speed.severity == "warning"


async def test_a_model_that_had_to_be_loaded_is_judged_by_its_second_answer() -> None:
    class Loading(_Named):
        asked = 0

        async def complete(self, _request: CompletionRequest) -> AsyncGenerator[Chunk, None]:
            self.asked += 1
            pauses = [30.0, 1.0, 0.1, 0.1] if self.asked == 1 else [0.1, 0.1, 0.1, 0.1]
            for pause, text in zip(pauses, ["quorvin", ",", " zelph", ")"], strict=True):
                now[0] += pause
                yield Chunk(text=text)
            yield Chunk(finish="stop")

    now = [0.0]
    model = Loading()
    findings = await check_fim(model, clock=lambda: now[0])  # type: ignore[arg-type]
    assert model.asked == 2
    assert "had to be loaded first, which took 30.0 s" in one(findings, "loading").sentence
    assert one(findings, "fim_works")
    assert one(findings, "fast")


async def test_a_server_that_accepts_and_says_nothing(tmp_path: Path) -> None:
    async with FakeModel(Script(silent=True, fault_scope="all")) as fake:
        findings = await doctor(tmp_path, provider("ollama", fake.url, "timeouts = { connect = 0.3 }"))
    down = one(findings, "provider_down")
    assert "did not answer within 0.3 s" in down.sentence
    assert "timeouts.connect" in down.advice


async def test_a_model_that_accepts_and_says_nothing(tmp_path: Path) -> None:
    async with FakeModel(Script(silent=True, models=[MODEL])) as fake:
        findings = await doctor(tmp_path, provider("ollama", fake.url, "timeouts = { first_token = 0.3 }"))
    silent = one(findings, "timeout")
    assert "no first token within 0.3 s" in silent.sentence
    assert "timeouts.first_token" in silent.advice


async def test_a_model_that_never_ends_is_given_up(tmp_path: Path) -> None:
    async with FakeModel(
        Script(text="x ", endless=True, token_delay=0.01, respect_max_tokens=False, models=[MODEL])
    ) as fake:
        findings = await doctor(tmp_path, provider("ollama", fake.url), limit=0.5)
        assert "no whole answer within 0.5 s" in one(findings, "timeout").sentence
        await fake.wait_for(lambda fake: fake.open_connections == 0)


async def test_a_server_that_still_loads_its_model(tmp_path: Path) -> None:
    async with FakeModel(Script(ready=False)) as fake:
        findings = await doctor(tmp_path, provider("llamacpp", fake.url))
    assert "oading" in one(findings, "provider_down").sentence


# -- the embedded model ------------------------------------------------------------------------------------------------


async def embedded_findings(*, needed: bool = True) -> list[Finding]:
    provider = embedded.EmbeddedProvider()
    try:
        return [finding async for finding in check_embedded(provider, needed=needed)]
    finally:
        await provider.aclose()


async def test_weights_with_a_wrong_hash() -> None:
    store = WeightsStore()
    store.folder.mkdir(parents=True)
    (store.folder / find_entry(DEFAULT_MODEL).file).write_bytes(b"GGUF and something else")
    wrong = one(await embedded_findings(), "wrong_hash")
    assert wrong.severity == "error"
    assert "SHA-256" in wrong.sentence
    assert wrong.advice == f"Run: dragoman models pull {DEFAULT_MODEL}"
    assert one(await embedded_findings(needed=False), "wrong_hash").severity == "warning"


async def test_the_inference_library_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "_LIBRARY", "a_library_that_nobody_has")
    missing = one(await embedded_findings(), "no_library")
    assert missing.severity == "error"
    assert "pip install xllamacpp" in missing.advice


async def test_the_embedded_model_is_a_note_where_another_completes(tmp_path: Path) -> None:
    async with FakeModel(Script(text=WORKS, models=[MODEL])) as fake:
        findings = await doctor(tmp_path, provider("ollama", fake.url))
    assert one(findings, "no_weights").severity == "note"


# -- settings ----------------------------------------------------------------------------------------------------------


async def test_a_typo_in_the_settings_is_not_silence(tmp_path: Path) -> None:
    findings = await doctor(tmp_path, "[completion]\nenabeld = true\n", generate=False)
    typo = one(findings, "settings_error")
    assert "config.toml:2: unknown key 'completion.enabeld'" in typo.sentence
    assert "'completion.enabled'" in typo.advice
    assert conclude(findings).severity == "error"


async def test_what_a_project_may_not_set_is_said(tmp_path: Path) -> None:
    (tmp_path / "dragoman.toml").write_text(provider("ollama", "http://evil:11434"))
    loaded = configured(tmp_path, "", workspace=tmp_path)
    async with managed(loaded, []) as manager:
        findings = [finding async for finding in diagnose(loaded, manager)]
    refused = one(findings, "settings_refused")
    assert refused.severity == "warning"
    assert "dragoman trust" in refused.advice


async def test_an_excluded_language_and_switched_off_completion(tmp_path: Path) -> None:
    text = "[completion]\nenabled = false\ntrigger = 'invoked'\nlanguages.exclude = ['markdown']\n"
    loaded = configured(tmp_path, text)
    async with managed(loaded, []) as manager:
        findings = [finding async for finding in diagnose(loaded, manager)]
    assert "markdown" in one(findings, "language_excluded").sentence
    assert str(tmp_path / "config.toml") in one(findings, "language_excluded").advice
    assert one(findings, "disabled").severity == "error"
    assert one(findings, "invoked_only").severity == "note"


@pytest.mark.parametrize("reason", get_args(Reason))
def test_every_reason_of_the_engine_has_a_sentence(reason: str) -> None:
    said, advice = explain_reason(reason, "the detail.")
    assert said.endswith("(the detail).")
    assert f"({reason})" not in said
    assert advice or reason in {"ok", "binary", "superseded"}


def test_an_unknown_reason_has_a_sentence_too() -> None:
    assert "new_reason" in explain_reason("new_reason")[0]


def test_the_worst_finding_decides() -> None:
    fine, odd, bad = (
        Finding("ok", "a", "A."),
        Finding("warning", "b", "B.", "Do b."),
        Finding("error", "c", "C.", "Do c."),
    )
    assert worst([]) == "ok"
    assert worst([fine, bad, odd]) == "error"
    assert conclude([fine]).severity == "ok"
    assert conclude([fine, odd]).advice == "Do b."
    assert (conclude([bad, odd]).severity, conclude([bad, odd]).advice) == ("error", "Do c.")


def test_every_filter_is_told_in_plain_words() -> None:
    for name, _ in FILTERS:
        said, _ = explain_reason("filtered", f"filtered: {name}")
        assert "filtered" not in said
        assert said != explain_reason("filtered")[0]
    assert explain_reason("filtered", "filtered: suffix lines")[0].endswith("(lines that stand below already).")


def test_what_the_sentence_says_already_is_not_said_twice() -> None:
    assert explain_reason("empty_answer", "the model had nothing to add") == explain_reason("empty_answer")


def test_a_hint_begins_a_sentence_of_its_own() -> None:
    assert str(DragomanError("It said: slow down", hint="Wait 3 s.")) == "It said: slow down. Wait 3 s."
    assert str(DragomanError("It said no.", hint="Ask again.")) == "It said no. Ask again."
    assert str(DragomanError("It said no")) == "It said no"
