"""Tasks that change what Python code does: edge cases, missing tests, and more than one file."""

from __future__ import annotations

from tests.tasks.definitions import Call, Task, edit, write

MUTABLE = "def add(item, items=[]):\n    items.append(item)\n    return items\n"
BASKET = "def total(prices):\n    return sum(prices)\n\n\ndef mean(prices):\n    return total(prices) / len(prices)\n"
SLUG = "def slug(title):\n    return '-'.join(title.lower().split())\n"
SLUG_TEST = "from slugs import slug\n\n\ndef test_slug():\n    assert slug(' Two  Words ') == 'two-words'\n"
ORDER = "def ship(order):\n    if order['weight'] > 30:\n        return 'freight'\n    return 'parcel'\n"
USER = "class User:\n    def __init__(self, name):\n        self.name = name\n"
FETCH = "def load(name):\n    return name.upper()\n"
CLOCK = "HOUR = 3600\n\n\ndef hours(seconds):\n    return seconds / HOUR\n"

TASKS: tuple[Task, ...] = (
    Task(
        "shared_default",
        "Every call of add in bag.py without a list shall begin with a new one; now they share it.",
        {"bag.py": MUTABLE},
        "from bag import add\nassert add(1) == [1] and add(2) == [2] and add(3, [0]) == [0, 3]\n",
        (edit("bag.py", "items=[]):\n", "items=None):\n    items = [] if items is None else items\n"),),
        (edit("bag.py", "items=[]):\n", "items=()):\n"),),
    ),
    Task(
        "empty_input",
        "mean in basket.py fails for no prices at all; it shall return 0.0 for them.",
        {"basket.py": BASKET},
        "from basket import mean, total\nassert mean([]) == 0.0 and mean([1, 2]) == 1.5 and total([]) == 0\n",
        (
            edit(
                "basket.py",
                "    return total(prices) / len(prices)",
                "    return total(prices) / len(prices) if prices else 0.0",
            ),
        ),
        (edit("basket.py", "    return sum(prices)", "    return sum(prices) or 0.0"),),
    ),
    Task(
        "missing_test",
        "slug in slugs.py has no test. Write test_slug in test_slugs.py; it needs no library. "
        "Capitals, and blanks anywhere, must be tested.",
        {"slugs.py": SLUG},
        "import slugs, test_slugs\n"
        "test_slugs.test_slug()\n"
        "wrong = [lambda title: '-'.join(title.split()), lambda title: title.lower().replace(' ', '-')]\n"
        "for slug in wrong:\n"
        "    slugs.slug = test_slugs.slug = slug\n"
        "    try:\n        test_slugs.test_slug()\n"
        "    except AssertionError:\n        continue\n"
        "    raise SystemExit('the test does not notice')\n",
        (Call("create_file", {"path": "test_slugs.py", "content": SLUG_TEST}),),
        (Call("create_file", {"path": "test_slugs.py", "content": SLUG_TEST.replace(" Two  Words ", "two words")}),),
    ),
    Task(
        "raise_error",
        "ship in orders.py must raise ValueError for a weight below zero.",
        {"orders.py": ORDER},
        "from orders import ship\n"
        "assert ship({'weight': 31}) == 'freight' and ship({'weight': 0}) == 'parcel'\n"
        "try:\n    ship({'weight': -1})\n"
        "except ValueError:\n    pass\n"
        "else:\n    raise SystemExit('nothing was raised')\n",
        (
            edit(
                "orders.py",
                "def ship(order):\n",
                "def ship(order):\n    if order['weight'] < 0:\n        raise ValueError('the weight is below zero')\n",
            ),
        ),
        (
            edit(
                "orders.py",
                "def ship(order):\n",
                "def ship(order):\n    if order['weight'] < 0:\n        return 'nothing'\n",
            ),
        ),
    ),
    Task(
        "equality",
        "Two users in users.py with the same name shall be equal, and usable as keys of a dictionary.",
        {"users.py": USER},
        "from users import User\n"
        "assert User('a') == User('a') and User('a') != User('b') and len({User('a'), User('a')}) == 1\n",
        (
            edit(
                "users.py",
                "        self.name = name\n",
                "        self.name = name\n\n"
                "    def __eq__(self, other):\n"
                "        return isinstance(other, User) and other.name == self.name\n\n"
                "    def __hash__(self):\n        return hash(self.name)\n",
            ),
        ),
        (
            edit(
                "users.py",
                "        self.name = name\n",
                "        self.name = name\n\n    def __eq__(self, other):\n        return other.name == self.name\n",
            ),
        ),
    ),
    Task(
        "make_async",
        "load in source.py must be a coroutine function; main.py must still return its answer from run().",
        {"source.py": FETCH, "main.py": "from source import load\n\n\ndef run():\n    return load('a')\n"},
        "import inspect, main, source\nassert inspect.iscoroutinefunction(source.load) and main.run() == 'A'\n",
        (
            edit("source.py", "def load", "async def load"),
            write(
                "main.py",
                "import asyncio\n\nfrom source import load\n\n\ndef run():\n    return asyncio.run(load('a'))\n",
            ),
        ),
        (edit("source.py", "def load", "async def load"),),
    ),
    Task(
        "extract_module",
        "HOUR of clock.py belongs into a new module units.py; clock.py shall import it from there.",
        {"clock.py": CLOCK},
        "import clock, units\n"
        "assert units.HOUR == 3600 and clock.hours(7200) == 2\n"
        "assert 'HOUR = ' not in open('clock.py').read()\n",
        (
            Call("create_file", {"path": "units.py", "content": "HOUR = 3600\n"}),
            edit("clock.py", "HOUR = 3600\n", "from units import HOUR\n"),
        ),
        (Call("create_file", {"path": "units.py", "content": "HOUR = 3600\n"}),),
    ),
    Task(
        "wide_rename",
        "Rename the parameter `n` of grow in plants.py to `days`, wherever it is given by name.",
        {
            "plants.py": "def grow(n=1):\n    return n * 2\n",
            "garden.py": "from plants import grow\n\nTALL = grow(n=4)\n",
            "field.py": "from plants import grow\n\nn = 3\nWIDE = grow(n=n)\n",
            "README.md": "Call `grow(n=2)`.\n",
        },
        "import field, garden, plants\n"
        "assert (garden.TALL, field.WIDE, field.n, plants.grow(days=5)) == (8, 6, 3, 10)\n"
        "assert 'grow(days=2)' in open('README.md').read()\n",
        (
            write("plants.py", "def grow(days=1):\n    return days * 2\n"),
            edit("garden.py", "grow(n=4)", "grow(days=4)"),
            edit("field.py", "grow(n=n)", "grow(days=n)"),
            edit("README.md", "grow(n=2)", "grow(days=2)"),
        ),
        (
            write("plants.py", "def grow(days=1):\n    return days * 2\n"),
            edit("garden.py", "grow(n=4)", "grow(days=4)"),
        ),
    ),
)
