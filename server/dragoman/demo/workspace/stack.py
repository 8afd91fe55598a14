"""A last-in, first-out stack."""


class Stack:
    def __init__(self) -> None:
        self._items: list[object] = []

    def push(self, item: object) -> None:
        self._items.append(item)

    def pop(self) -> object:
        

    def __len__(self) -> int:
        return len(self._items)
