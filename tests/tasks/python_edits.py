"""Tasks in Python files."""

from __future__ import annotations

from tests.tasks.definitions import Call, Task, edit

AGE = "def is_adult(age):\n    return age > 18\n"
CRLF = "RATE = 10\r\n\r\n\r\ndef price(net):\r\n    return net + RATE\r\n"
TWICE = "def low(n):\n    return n\n\n\ndef high(n):\n    return n\n"

TASKS: tuple[Task, ...] = (
    Task(
        "boundary",
        "Somebody who is exactly 18 is an adult, but is_adult(18) says no. Fix it in ages.py.",
        {"ages.py": AGE},
        "from ages import is_adult\nassert is_adult(18) and not is_adult(17)\n",
        (edit("ages.py", "age > 18", "age >= 18"),),
        (edit("ages.py", "age > 21", "age >= 18"),),
    ),
    Task(
        "parameter",
        "Give greet in hello.py a parameter `mark` for the last character; it is '!' by default.",
        {"hello.py": 'def greet(name):\n    return f"Hello {name}!"\n'},
        "from hello import greet\nassert greet('A') == 'Hello A!' and greet('A', mark='?') == 'Hello A?'\n",
        (
            edit(
                "hello.py", 'name):\n    return f"Hello {name}!"', 'name, mark="!"):\n    return f"Hello {name}{mark}"'
            ),
        ),
        (edit("../hello.py", "name", "name, mark"),),
    ),
    Task(
        "rename",
        "Rename load to read_rows everywhere.",
        {"rows.py": "def load():\n    return [1]\n", "main.py": "from rows import load\n\nTOTAL = sum(load())\n"},
        "import main, rows\nassert main.TOTAL == 1 and rows.read_rows() == [1] and not hasattr(rows, 'load')\n",
        (
            edit("rows.py", "def load", "def read_rows"),
            edit(
                "main.py",
                "from rows import load\n\nTOTAL = sum(load",
                "from rows import read_rows\n\nTOTAL = sum(read_rows",
            ),
        ),
        (edit("rows.py", "def load():", "def read_rows(:"),),
    ),
    Task(
        "crlf",
        "The rate is 12 now. Keep the line ends of the file.",
        {"rates.py": CRLF},
        f"text = open('rates.py', newline='').read()\nassert text == {CRLF.replace('10', '12')!r}\n",
        (edit("rates.py", "RATE = 10\n", "RATE = 12\n"),),
        (Call("rewrite", {"path": "rates.py"}),),
    ),
    Task(
        "two_alike",
        "high in levels.py must return one more than it is given; leave low alone.",
        {"levels.py": TWICE},
        "from levels import high, low\nassert high(1) == 2 and low(1) == 1\n",
        (edit("levels.py", "def high(n):\n    return n\n", "def high(n):\n    return n + 1\n"),),
        (edit("levels.py", "    return n\n", "    return n + 1\n"),),
    ),
    Task(
        "move",
        "Move tools.py into the package `parts`, and import it from there in main.py.",
        {"tools.py": "A = 1\n", "parts/__init__.py": "", "main.py": "from tools import A\n"},
        "import os, main, parts.tools\nassert main.A == 1 and not os.path.exists('tools.py')\n",
        (
            Call("move_file", {"path": "tools.py", "target": "parts/tools.py"}),
            edit("main.py", "from tools", "from parts.tools"),
        ),
        (Call("move_file", {"path": "tools.py", "target": "parts/tools.py"}),),
    ),
)
