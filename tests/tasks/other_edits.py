"""Tasks in files that are not Python: settings, documents, and code of other languages."""

from __future__ import annotations

from tests.tasks.definitions import Call, Task, edit, write

PROJECT = (
    '# Kept by hand.\n[project]\nname = "shop"\nversion = "1.2.3"  # as released\n\n[tool.shop]\nversion = "1.2.3"\n'
)
PACKAGE = '{\n  "name": "shop",\n  "scripts": {\n    "build": "tsc"\n  }\n}\n'
GUIDE = "# Guide\n\nSee [set-up](setup.md).\n\n## Use\n\nRead [set-up](setup.md) again.\n"
TYPES = "export interface Item {\n  id: number;\n}\n\nexport function label(item: Item): string {\n  return `#${item.id}`;\n}\n"
GO = (
    'package main\n\nimport "os"\n\nfunc read(path string) []byte {\n\tdata, _ := os.ReadFile(path)\n\treturn data\n}\n'
)
GO_SOLVED = "func read(path string) ([]byte, error) {\n\treturn os.ReadFile(path)\n}\n"
INI = "; the shop\n[server]\nport = 80\n\n[admin]\nport = 81\n"

TASKS: tuple[Task, ...] = (
    Task(
        "version",
        "The project in pyproject.toml is at 1.3.0 now; tool.shop stays, and so do the comments.",
        {"pyproject.toml": PROJECT},
        "import tomllib\n"
        "text = open('pyproject.toml').read()\n"
        "read = tomllib.loads(text)\n"
        "assert (read['project']['version'], read['tool']['shop']['version']) == ('1.3.0', '1.2.3')\n"
        "assert '# Kept by hand.' in text and '# as released' in text\n",
        (edit("pyproject.toml", 'version = "1.2.3"  #', 'version = "1.3.0"  #'),),
        (edit("pyproject.toml", 'version = "1.2.3"\n', 'version = "1.3.0"\n'),),
    ),
    Task(
        "script",
        "Add a script `test` to package.json that runs `node --test`.",
        {"package.json": PACKAGE},
        "import json\n"
        "assert json.load(open('package.json')) == "
        "{'name': 'shop', 'scripts': {'build': 'tsc', 'test': 'node --test'}}\n",
        (edit("package.json", '"build": "tsc"\n', '"build": "tsc",\n    "test": "node --test"\n'),),
        (edit("package.json", '"build": "tsc"\n', '"build": "tsc"\n    "test": "node --test"\n'),),
    ),
    Task(
        "links",
        "setup.md is now docs/install.md: move it, and let guide.md point there.",
        {"guide.md": GUIDE, "setup.md": "# Set-up\n"},
        "import os\n"
        "text = open('guide.md').read()\n"
        "assert text.count('(docs/install.md)') == 2 and 'setup.md' not in text\n"
        "assert open('docs/install.md').read() == '# Set-up\\n' and not os.path.exists('setup.md')\n",
        (
            Call("move_file", {"path": "setup.md", "target": "docs/install.md"}),
            write("guide.md", GUIDE.replace("setup.md", "docs/install.md")),
        ),
        (
            Call("move_file", {"path": "setup.md", "target": "docs/install.md"}),
            edit("guide.md", "(setup.md)", "(docs/install.md)"),
        ),
    ),
    Task(
        "typescript",
        "Item in item.ts gets an optional `title` of type string, and label returns it where there is one.",
        {"item.ts": TYPES},
        "import re\n"
        "text = open('item.ts').read()\n"
        "assert re.search(r'interface Item \\{[^}]*\\btitle\\?: string\\b', text)\n"
        "assert re.search(r'label\\(item: Item\\): string \\{.*item\\.title.*item\\.id', text, re.S)\n",
        (
            edit("item.ts", "  id: number;\n", "  id: number;\n  title?: string;\n"),
            edit("item.ts", "return `#${item.id}`", "return item.title ?? `#${item.id}`"),
        ),
        (edit("item.ts", "  id: number;\n", "  id: number;\n  title?: string;\n"),),
    ),
    Task(
        "go_error",
        "read in main.go drops the error of os.ReadFile. Return it as a second value.",
        {"main.go": GO},
        "text = open('main.go').read()\n"
        "assert '([]byte, error) {' in text and ', _ :=' not in text and 'os.ReadFile(path)' in text\n",
        (write("main.go", GO.split("func", maxsplit=1)[0] + GO_SOLVED),),
        (edit("main.go", "func read(path string) []byte {", "func read(path string) ([]byte, error) {"),),
    ),
    Task(
        "right_section",
        "The admin's port in shop.ini is 8081 now.",
        {"shop.ini": INI},
        "import configparser\n"
        "read = configparser.ConfigParser()\n"
        "read.read('shop.ini')\n"
        "assert (read['server']['port'], read['admin']['port']) == ('80', '8081')\n",
        (edit("shop.ini", "[admin]\nport = 81", "[admin]\nport = 8081"),),
        (Call("edit_file", {"path": "shop.ini", "old": "port = 81"}),),
    ),
)
