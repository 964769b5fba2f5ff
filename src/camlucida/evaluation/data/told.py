"""What could not be used, told once with its places, and not fatal."""

from dataclasses import dataclass, field

SHOWN = 5


@dataclass(slots=True)
class Told:
    """Sentences, and where in the user's files each is true: lines, names of files."""

    places: dict[str, list[str]] = field(default_factory=dict)

    def note(self, what: str, where: str) -> None:
        """One more place; `what` is a sentence without its full stop."""
        self.places.setdefault(what, []).append(where)

    def sentences(self) -> list[str]:
        """Each sentence with the first five of its places, and how many more there are."""
        return [f"{what}: {_shown(places)}." for what, places in self.places.items()]


def _shown(places: list[str]) -> str:
    more = f" and {len(places) - SHOWN} more" if len(places) > SHOWN else ""
    return f"{', '.join(places[:SHOWN])}{more}"
