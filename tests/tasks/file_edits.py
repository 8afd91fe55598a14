"""Tasks in files that are hard to edit, or that come and go."""

from __future__ import annotations

from tests.tasks.definitions import Call, Task, edit, write

ODD = 'NAME = "🐉 drago"\n\x0c\nSIZE = 1\n'
MARKS = 'TEXT = """\n<<<<<<< HEAD\nold\n=======\nnew\n>>>>>>> main\n"""\nCOUNT = 1\n'
TABS = "def pick(rows):\n\tfor row in rows:\n\t\tif row:\n\t\t\treturn row\n\treturn 0\n"
MARKED = "\ufeffTITLE = 'Über'\nPAGES = 10\n"
LONG = "".join(f"def step_{number}():\n    return {number}\n\n\n" for number in range(400))
BARE = "FIRST = 1\nLAST = 2"
SHAPES = (
    "def area(a, b):\n    return a + b\n\n\ndef label():\n    return 'shape'\n\n\ndef edge(a, b):\n    return a * b\n"
)
BLOCKS = """\
<<<<<<< SEARCH
def area(a, b):
    return a + b
=======
def area(a, b):
    return a * b
>>>>>>> REPLACE
<<<<<<< SEARCH
def edge(a, b):
    return a * b
=======
def edge(a, b):
    return 2 * (a + b)
>>>>>>> REPLACE
"""

TASKS: tuple[Task, ...] = (
    Task(
        "emoji",
        "SIZE in odd.py must be 2.",
        {"odd.py": ODD},
        f"assert open('odd.py', newline='', encoding='utf-8').read() == {ODD.replace('= 1', '= 2')!r}\n",
        (edit("odd.py", "SIZE = 1", "SIZE = 2"),),
        (edit("even.py", "SIZE = 1", "SIZE = 2"),),
    ),
    Task(
        "marks",
        "COUNT in marks.py must be 2; the text above it is a sample and stays as it is.",
        {"marks.py": MARKS},
        f"assert open('marks.py').read() == {MARKS.replace('COUNT = 1', 'COUNT = 2')!r}\n",
        (edit("marks.py", "COUNT = 1", "COUNT = 2"),),
        (write("marks.py", "COUNT = 2\n"),),
    ),
    Task(
        "delete",
        "old.py is used by nobody. Delete it.",
        {"old.py": "A = 1\n", "new.py": "A = 2\n"},
        "import os, new\nassert not os.path.exists('old.py') and new.A == 2\n",
        (Call("delete_file", {"path": "old.py"}),),
        (Call("delete_file", {"path": "new.py"}),),
    ),
    Task(
        "create",
        "Create limits.toml with a table `limits` in which `steps` is 5.",
        {"README.md": "# Limits\n"},
        "import tomllib\nassert tomllib.load(open('limits.toml', 'rb')) == {'limits': {'steps': 5}}\n",
        (write("limits.toml", "[limits]\nsteps = 5\n"),),
        (write("limits.toml", "[limits\nsteps = 5\n"),),
    ),
    Task(
        "tabs",
        "pick in picks.py must return None when there is nothing to pick. The file is indented with tabs; keep them.",
        {"picks.py": TABS},
        "from picks import pick\n"
        "assert pick([0, 3]) == 3 and pick([]) is None\n"
        "assert '    ' not in open('picks.py').read()\n",
        (edit("picks.py", "\treturn 0\n", "\treturn None\n"),),
        (edit("picks.py", "\treturn 0\n", "    return None\n"),),
    ),
    Task(
        "byte_order_mark",
        "The book in book.py has 12 pages. Change nothing else, not even how the file is encoded.",
        {"book.py": MARKED},
        f"assert open('book.py', 'rb').read() == {MARKED.replace('10', '12').encode()!r}\n",
        (edit("book.py", "PAGES = 10", "PAGES = 12"),),
        (edit("book.py", "PAGES = 42", "PAGES = 12"),),
    ),
    Task(
        "long_file",
        "step_317 in steps.py must return 0; every other step stays as it is.",
        {"steps.py": LONG},
        "import steps\n"
        "values = [getattr(steps, f'step_{number}')() for number in range(400)]\n"
        "assert values == [0 if number == 317 else number for number in range(400)]\n",
        (
            Call("search", {"pattern": "def step_317", "path": "steps.py"}),
            Call("read_file", {"path": "steps.py", "first_line": 1269, "last_line": 1270}),
            edit("steps.py", "    return 317\n", "    return 0\n"),
        ),
        (edit("steps.py", "    return 31\n", "    return 0\n"),),
    ),
    Task(
        "no_last_newline",
        "LAST in ends.py must be 3. The file has no newline at its end; leave it so.",
        {"ends.py": BARE},
        f"assert open('ends.py').read() == {BARE.replace('2', '3')!r}\n",
        (edit("ends.py", "LAST = 2", "LAST = 3"),),
        (write("ends.py", "FIRST = 1\nLAST = 3\n"),),
    ),
    Task(
        "two_places",
        "In shapes.py area must be the product of both sides and edge the whole way around.",
        {"shapes.py": SHAPES},
        "from shapes import area, edge, label\nassert (area(2, 3), edge(2, 3), label()) == (6, 10, 'shape')\n",
        (Call("edit_file", {"path": "shapes.py", "blocks": BLOCKS}),),
        (
            Call(
                "edit_file",
                {
                    "path": "shapes.py",
                    "blocks": BLOCKS.replace(
                        "def edge(a, b):\n    return a * b\n=", "def edge(a, b):\n    return a - b\n="
                    ),
                },
            ),
        ),
    ),
    Task(
        "new_package",
        "Add a package `app.views` whose module `home` has a function title() that returns 'Home'.",
        {"app/__init__.py": "", "main.py": "import app\n"},
        "from app.views.home import title\nimport app.views\n"
        "assert title() == 'Home' and app.views.__file__.endswith('__init__.py')\n",
        (
            Call("create_file", {"path": "app/views/__init__.py", "content": ""}),
            Call("create_file", {"path": "app/views/home.py", "content": "def title():\n    return 'Home'\n"}),
        ),
        (Call("create_file", {"path": "../app/views/home.py", "content": "def title():\n    return 'Home'\n"}),),
    ),
)
