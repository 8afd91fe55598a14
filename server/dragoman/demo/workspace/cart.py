"""A shopping cart."""

from dataclasses import dataclass


@dataclass
class Item:
    name: str
    price: float
    quantity: int


def total(items: list[Item]) -> float:
    """Return what all items cost together."""


cart = [Item("pen", 1.5, 3), Item("notebook", 4.0, 2)]
print(total(cart))
