"""From a data set's words to what is known of a model's findings."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from camlucida.evaluation.data.table import plain

NONE = frozenset({"none", "normal", "no finding", "no findings", "negative", "healthy", "control"})
"""Words that say that nothing was found."""

PRESENT = frozenset({"1", "1.0", "true", "yes", "y", "positive", "present"})
ABSENT = frozenset({"0", "0.0", "false", "no", "n", "negative", "absent"})
UNKNOWN = frozenset({"", "-1", "-1.0", "nan", "na", "n/a", "none", "null", "unknown", "uncertain", "?"})
"""Cells of a finding's own column; CheXpert and MIMIC-CXR write -1 where the report is uncertain."""


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Which finding a word of the data means.

    `renamed` are the user's own translations, from the data's word to a finding's name or to "none".
    """

    findings: tuple[str, ...]
    renamed: Mapping[str, str] = field(default_factory=dict)

    def finding(self, word: str) -> str | None:
        """The finding of this name; None where the model has none."""
        own = {plain(name): name for name in self.findings}
        return own.get(plain(self._translated(word)))

    def says_none(self, word: str) -> bool:
        """Whether the word says that nothing was found; a model may have “normal” as a finding."""
        return self.finding(word) is None and plain(self._translated(word)) in NONE

    def _translated(self, word: str) -> str:
        return {plain(old): new for old, new in self.renamed.items()}.get(plain(word), word)


def of_words(
    lists: Sequence[Sequence[str] | None], vocabulary: Vocabulary
) -> tuple[list[dict[str, bool]], Counter[str]]:
    """The labels of images that each have a list of words, in which all that was found is named.

    A finding that is not in an image's list is absent there, if any image's list has it: where the data never
    use its word, nothing is known of it. Where they name no finding at all, "normal" means every one.

    Parameters
    ----------
    lists
        None where nothing is known of the image.

    Returns
    -------
    labels, strangers
        A mapping for each image, and in how many images words stand that are no finding of the model.
    """
    counts = Counter(word for words in lists for word in set(words or ()))
    meant = {word: vocabulary.finding(word) for word in counts}
    strangers = Counter(
        {
            word: count
            for word, count in counts.items()
            if meant[word] is None and not vocabulary.says_none(word)
        }
    )
    used = set(meant.values()) - {None}
    spoken = [name for name in vocabulary.findings if name in used or not (used or strangers)]
    found = [None if words is None else {meant[word] for word in words} for words in lists]
    return [{} if some is None else {name: name in some for name in spoken} for some in found], strangers


def of_cells(cells: Iterable[str]) -> tuple[bool | None, bool]:
    """What one or several columns of a finding say together, and whether all cells were understood.

    Any that says present wins, then any that says absent; None is not known.
    """
    words = {cell.strip().casefold() for cell in cells}
    known = True if words & PRESENT else False if words & ABSENT else None
    return known, words <= PRESENT | ABSENT | UNKNOWN
