"""Uses of what is being written, found in the files that import it."""

from __future__ import annotations

from pathlib import Path

from tests.support.small_index import SmallIndex

FILES = {
    "shop/pricing.py": (
        "import math\n\n\ndef discounted(price, rate):\n    return price\n\n\n"
        "class Basket:\n    def __init__(self, owner):\n        self.owner = owner\n"
    ),
    "shop/checkout.py": (
        "from shop.pricing import (\n    Basket,\n    discounted,\n)\n\n\ndef pay(order):\n    loyalty = order.loyalty_rate\n"
        "    due = discounted(order.subtotal, loyalty)\n    return due\n\n\ndef begin(customer):\n    return Basket(customer)\n"
    ),
    "tests/test_pricing.py": (
        "from shop import pricing\n\n\ndef test_discount():\n    assert pricing.discounted(Decimal(10), HALF_PRICE) == Decimal(5)\n"
    ),
    "other/unrelated.py": "def discounted():\n    return nothing_to_do_with_it\n\n\ndiscounted()\n",
}
IN_FUNCTION = "import math\n\n\ndef discounted(price, rate):\n    |\n"


def found(index: SmallIndex, marked: str) -> dict[str, str]:
    _, pool = index.retriever.collect(index.place("shop/pricing.py", marked, sources=("symbols",)))
    return {item.path: item.text for item in pool.items.values() if item.whole}


def test_calls_and_tests_of_the_function_are_found_and_namesakes_are_not(tmp_path: Path) -> None:
    uses = found(SmallIndex(tmp_path, FILES), IN_FUNCTION)
    assert list(uses) == ["shop/checkout.py", "tests/test_pricing.py"]
    assert "discounted(order.subtotal, loyalty)" in uses["shop/checkout.py"]
    assert "loyalty = order.loyalty_rate" in uses["shop/checkout.py"]
    assert "import" not in uses["shop/checkout.py"]
    assert "HALF_PRICE" in uses["tests/test_pricing.py"]


def test_a_constructor_is_called_by_the_name_of_its_class(tmp_path: Path) -> None:
    uses = found(SmallIndex(tmp_path, FILES), "class Basket:\n    def __init__(self, owner):\n        |\n")
    assert "return Basket(customer)" in uses["shop/checkout.py"]


def test_the_names_of_a_use_are_spoken_for(tmp_path: Path) -> None:
    index = SmallIndex(tmp_path, FILES)
    _, pool = index.retriever.collect(index.place("shop/pricing.py", IN_FUNCTION))
    assert pool.signals_of("HALF_PRICE")["importer"] > 0
    assert "importer" not in pool.signals_of("nothing_to_do_with_it")


def test_outside_of_any_function_there_is_nothing_to_use(tmp_path: Path) -> None:
    assert found(SmallIndex(tmp_path, FILES), "import math\n|\n") == {}


def test_within_a_folder_no_import_is_needed(tmp_path: Path) -> None:
    index = SmallIndex(
        tmp_path,
        {
            "srv/a.go": "package srv\n\nfunc Serve(port int) error {\n\treturn nil\n}\n",
            "srv/b.go": "package srv\n\nfunc main() {\n\tport := readPort()\n\tServe(port)\n}\n",
            "cmd/c.go": "package cmd\n\nfunc other() {\n\tServe(1)\n}\n",
        },
    )
    place = index.place("srv/a.go", "package srv\n\nfunc Serve(port int) error {\n\t|\n}\n")
    _, pool = index.retriever.collect(place)
    assert [item.path for item in pool.items.values() if item.whole and item.source == "symbols"] == ["srv/b.go"]
