"""Keys that say what they are: the prefixes and lengths that those who issue them have documented.

Own tables rather than a library, for a prompt is read at every key: detect-secrets 1.5 (last release May 2024) takes 150 ms
for 8 KB and 0.7 s to import, the bindings of kingfisher and betterleaks bring 35 and 54 MB of native code for 0.5 to 20 ms.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_LETTERS = "A-Za-z0-9"

FORMATS: dict[str, str] = {
    # Clouds and infrastructure.
    "aws": r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}",
    "google": r"AIza[\w-]{35}|GOCSPX-[\w-]{20,}|ya29\.[\w-]{20,}|1//0[\w-]{30,}",
    "azure": rf"[{_LETTERS}_~.-]{{3}}[78]Q~[{_LETTERS}_~.-]{{31,34}}|[{_LETTERS}]{{20,}}JQQJ9[{_LETTERS}]{{10,}}",
    "digitalocean": r"do[opr]_v1_[0-9a-f]{64}",
    "heroku": r"HRKU-[\w-]{20,}",
    "fly": r"fo1_[\w-]{40,}|fm[12][ar]?_[\w+/=]{40,}",
    "terraform": r"[A-Za-z0-9]{14}\.atlasv1\.[\w=-]{40,}",
    "vault": r"hv[sbr]\.[\w-]{20,}",
    "pulumi": r"pul-[0-9a-f]{40}",
    "doppler": r"dp\.(?:pt|st|ct|sa|scim|audit)\.[\w.-]{30,}",
    "tailscale": r"tskey-[a-z]+-[\w-]{16,}",
    "databricks": r"dapi[0-9a-f]{32}(?:-\d)?",
    "planetscale": r"pscale_(?:tkn|pw|oauth)_[\w=.-]{32,}",
    "supabase": r"sbp_[0-9a-f]{40}|sb_secret_[\w-]{20,}",
    "netlify": r"nfp_[A-Za-z0-9]{36}",
    # Forges and registries.
    "github": r"gh[pousr]_[A-Za-z0-9]{20,255}|github_pat_\w{22,255}",
    "gitlab": r"gl(?:pat|dt|rt|cbt|ptt|ft|imt|agent|oas|soat|ffct|wt)-[\w.-]{16,}",
    "bitbucket": r"AT(?:ATT3[\w=-]{50,}|BB\w{20,})",
    "npm": r"npm_[A-Za-z0-9]{36}",
    "pypi": r"pypi-[\w-]{50,}",
    "rubygems": r"rubygems_[0-9a-f]{48}",
    "crates": r"cio[A-Za-z0-9]{32}",
    "docker": r"dckr_(?:pat|oat)_[\w-]{20,}",
    "artifactory": r"AKCp[A-Za-z0-9]{60,}",
    # Models.
    "openai": r"sk-(?=[\w-]{0,80}\d)(?=[\w-]{0,80}[A-Z])[\w-]{20,}",
    "anthropic": r"sk-ant-[\w-]{20,}",
    "openrouter": r"sk-or-v1-[0-9a-f]{40,}",
    "huggingface": r"(?:hf|api_org)_[A-Za-z0-9]{30,}",
    "models": r"r8_[A-Za-z0-9]{37}|gsk_[A-Za-z0-9]{40,}|xai-[A-Za-z0-9]{60,}|pplx-[A-Za-z0-9]{40,}|lsv2_(?:pt|sk)_\w{32,}",
    # Payments, messages, everything else.
    "stripe": r"[rs]k_(?:live|test)_[A-Za-z0-9]{10,}|whsec_[A-Za-z0-9+/=]{20,}",
    "square": r"EAAA[\w-]{40,}|sq0[a-z]{3}-[\w-]{22,}",
    "shopify": r"shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}",
    "slack": r"xox[abeoprs]-[A-Za-z0-9-]{10,}|xapp-\d-[A-Za-z0-9-]{10,}",
    "slack_hook": r"(?<=hooks\.slack\.com/services/)[A-Za-z0-9/+_-]{20,}",
    "discord": r"[MNO][\w-]{23,27}\.[\w-]{6}\.[\w-]{27,}|(?<=/api/webhooks/)\d+/[\w-]{30,}",
    "telegram": r"\d{8,10}:AA[\w-]{32,34}",
    "twilio": r"SK[0-9a-f]{32}",
    "sendgrid": r"SG\.[\w-]{16,32}\.[\w-]{16,64}",
    "mail": r"key-[0-9a-f]{32}|[0-9a-f]{32}-us\d{1,2}|xkeysib-[0-9a-f]{40,}[\w-]*",
    "facebook": r"EAA[A-Za-z0-9]{80,}",
    "tools": r"lin_(?:api|oauth)_\w{32,}|ntn_[A-Za-z0-9]{40,}|secret_[A-Za-z0-9]{43}|figd_[\w-]{20,}",
    "postman": r"PMAK-[0-9a-f]{24}-[0-9a-f]{34}",
    "airtable": r"pat[A-Za-z0-9]{14}\.[0-9a-f]{64}",
    "monitoring": r"NRAK-[A-Z0-9]{27}|gl(?:sa|c)_[\w+/=]{32,}|sntry[su]_[\w+/=-]{20,}|dt0[a-z]\d{2}\.[A-Z0-9]{24}\.[A-Z0-9]{64}",
    # Formats rather than issuers.
    "jwt": r"(?<!base64,)eyJ[\w-]{17,}(?:\.[\w-]+){0,2}",
    "age": r"AGE-SECRET-KEY-1[A-Z0-9]{58}",
    "openssh": r"b3BlbnNzaC1rZXktdjE[A-Za-z0-9+/=]{20,}",
    "hash": r"\$(?:2[abxy]|[156y]|argon2id?|scrypt)\$[\w./$+,=-]{20,}",
}
"""A regular expression by issuer; a key is neither preceded nor followed by what could be more of it."""

_FORMAT = re.compile(
    rf"(?<![{_LETTERS}_+])(?:" + "|".join(f"(?P<{name}>{shape})" for name, shape in FORMATS.items()) + ")", re.ASCII
)

_LONG = re.compile(r"[\w.=~+/$,:-]{17,}", re.ASCII)
"""No format is shorter or has other characters: the many alternatives are tried in such runs only."""

_BREAK = re.compile(r"\\+[nrt]|\s+")
_PEM = re.compile(
    r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----((?:\\+[nrt]|[A-Za-z0-9+/= ])+)"
    r"|((?:\\+[nrt]|[A-Za-z0-9+/= ]){16,})-----END [A-Z0-9 ]*PRIVATE KEY"
)


def find_formats(line: str) -> Iterator[tuple[int, int, str]]:
    """Yield start, end and issuer of every key in ``line`` that says what it is, private keys written in one line too."""
    for run in _LONG.finditer(line):
        for match in _FORMAT.finditer(line, *run.span()):
            yield match.start(), match.end(), str(match.lastgroup)
    if "-----" in line:
        for match in _PEM.finditer(line):
            start, end = match.span(match.lastindex or 0)
            if len(_BREAK.sub("", line[start:end])) >= 4:
                yield start, end, "private_key"
