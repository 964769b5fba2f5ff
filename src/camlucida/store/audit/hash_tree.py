"""A Merkle hash tree over a list that only grows (RFC 6962, 2.1): its root, and proofs of what is in it.

Nodes are named by level and index: (0, i) is the leaf of entry i, (level, i) covers the 2**level entries
from i * 2**level on. A node whose entries are all there never changes again. The node of entries that are
not all there yet is made of those when it is asked for, in O(log n).
"""

import hashlib
from collections.abc import Callable, Sequence

NodeOf = Callable[[int, int], bytes]
"""(level, index) of a node whose entries are all there, to its 32 bytes."""

HASH_BYTES = 32
EMPTY = hashlib.sha256().digest()
"""The root of no entries."""


def leaf(content: bytes) -> bytes:
    """The hash of an entry; 0x00 keeps it apart from that of two nodes."""
    return hashlib.sha256(b"\0" + content).digest()


def parent(left: bytes, right: bytes) -> bytes:
    """The hash of two nodes."""
    return hashlib.sha256(b"\1" + left + right).digest()


def completed(index: int, leaf_hash: bytes, node: NodeOf) -> list[bytes]:
    """The nodes that the entry `index` completes, from its leaf up; `node` gives those of earlier entries."""
    hashes = [leaf_hash]
    while index & 1:
        hashes.append(parent(node(len(hashes) - 1, index - 1), hashes[-1]))
        index >>= 1
    return hashes


def last_entry(level: int, index: int) -> int:
    """The entry that completes a node."""
    return ((index + 1) << level) - 1


def root(size: int, node: NodeOf) -> bytes:
    """The hash of the first `size` entries."""
    return _hash(0, size, node) if size else EMPTY


def inclusion(index: int, size: int, node: NodeOf) -> list[bytes]:
    """The proof that entry `index` is one of the first `size` (RFC 6962, 2.1.1)."""
    return _path(index, 0, size, node)


def consistency(first: int, second: int, node: NodeOf) -> list[bytes]:
    """The proof that the first `second` entries begin with the first `first` (RFC 6962, 2.1.2)."""
    return _subproof(first, 0, second, node, known=True) if 0 < first < second else []


def is_included(leaf_hash: bytes, index: int, size: int, proof: Sequence[bytes], tree_root: bytes) -> bool:
    """Whether the proof shows that this leaf is entry `index` of the tree (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    number, last, made = index, size - 1, leaf_hash
    for one in proof:
        if last == 0:
            return False
        if number & 1 or number == last:
            made = parent(one, made)
            while not number & 1 and number:
                number, last = number >> 1, last >> 1
        else:
            made = parent(made, one)
        number, last = number >> 1, last >> 1
    return last == 0 and made == tree_root


def is_consistent(
    first: int, first_root: bytes, second: int, second_root: bytes, proof: Sequence[bytes]
) -> bool:
    """Whether the proof shows that the second tree only adds to the first (RFC 9162, 2.1.4.2)."""
    if first == second:
        return first_root == second_root and not proof
    if first == 0:
        return not proof
    if not 0 < first < second or not proof:
        return False
    nodes = list(proof) if first & (first - 1) else [first_root, *proof]
    number, last = first - 1, second - 1
    while number & 1:
        number, last = number >> 1, last >> 1
    old = new = nodes[0]
    for one in nodes[1:]:
        if last == 0:
            return False
        if number & 1 or number == last:
            old, new = parent(one, old), parent(one, new)
            while not number & 1 and number:
                number, last = number >> 1, last >> 1
        else:
            new = parent(new, one)
        number, last = number >> 1, last >> 1
    return last == 0 and old == first_root and new == second_root


def _hash(start: int, end: int, node: NodeOf) -> bytes:
    """Of the entries from `start` to before `end`; a range that the tree has, so `start` is a multiple."""
    size = end - start
    if size & (size - 1) == 0:
        level = size.bit_length() - 1
        return node(level, start >> level)
    middle = start + _half(size)
    return parent(_hash(start, middle, node), _hash(middle, end, node))


def _half(size: int) -> int:
    """The largest power of two below `size`, which is 2 or more."""
    return 1 << ((size - 1).bit_length() - 1)


def _path(index: int, start: int, end: int, node: NodeOf) -> list[bytes]:
    if end - start == 1:
        return []
    middle = start + _half(end - start)
    if index < middle:
        return [*_path(index, start, middle, node), _hash(middle, end, node)]
    return [*_path(index, middle, end, node), _hash(start, middle, node)]


def _subproof(first: int, start: int, end: int, node: NodeOf, *, known: bool) -> list[bytes]:
    """`known`: whoever checks has the hash of these entries, as it is the root of the first tree."""
    if first == end:
        return [] if known else [_hash(start, end, node)]
    middle = start + _half(end - start)
    if first <= middle:
        return [*_subproof(first, start, middle, node, known=known), _hash(middle, end, node)]
    return [*_subproof(first, middle, end, node, known=False), _hash(start, middle, node)]
