"""How a question says that it cannot be answered: what it asks for does not exist, or it makes no sense as asked."""

from __future__ import annotations


class NotFound(LookupError):
    """What the question names is not there, as an event that was never stored; the message says what was looked for."""


class BadQuestion(ValueError):
    """The question cannot be answered as it is put; the message says which part of it and what would do instead."""
