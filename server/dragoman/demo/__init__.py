"""The demonstration: the real server over stdio, typed at like an editor, with the real model."""

from dragoman.demo.show import main

__all__ = ["main"]
