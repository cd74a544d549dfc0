"""The person who answers: the same words for the same question, every time."""

from typing import Final

_ANSWERS: Final = (
    (("order", "parcel", "deliver"), "your latest order left our warehouse and arrives tomorrow."),
    (("return", "refund", "exchange"), "you can return anything within 60 days, free of charge."),
    (("wash", "care", "clean"), "brush it when dry and wash it at 30 degrees, without softener."),
    (("size", "fit", "small", "large"), "it runs true to size; between two sizes take the larger."),
    (("thank", "bye"), "you are welcome. Have a good day!"),
)
_OTHERWISE: Final = "thank you for your message. I am looking into it."
STRANGER: Final = "there"


class Agent:
    """Greets by the first name that the provider vouched for, and knows five things."""

    def __init__(self, name: str) -> None:
        self.name = name

    def greeting(self, first_name: str | None) -> str:
        """Return the first words of a conversation."""
        return f"Hello {first_name or STRANGER}! This is {self.name}. How can I help you today?"

    def answer(self, text: str, first_name: str | None) -> str:
        """Return what there is to say to `text`."""
        words = text.lower()
        for triggers, sentence in _ANSWERS:
            if any(trigger in words for trigger in triggers):
                return self._addressed(sentence, first_name)
        return self._addressed(_OTHERWISE, first_name)

    def _addressed(self, sentence: str, first_name: str | None) -> str:
        if first_name:
            return f"{first_name}, {sentence}"
        return sentence[0].upper() + sentence[1:]
