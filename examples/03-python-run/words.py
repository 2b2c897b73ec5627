"""What the Runs of this example execute: counts the words of a text."""

from collections import Counter


def count(text: str) -> dict[str, int]:
    """Return how often each word is in a text; what a function returns is the Run's value."""
    words = text.lower().split()
    if not words:
        raise ValueError("there are no words to count")
    return dict(Counter(words))
