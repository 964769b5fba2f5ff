"""A Merkle hash tree over a list that only grows (RFC 6962, 2.1): its root, and proofs of what is in it.

Nodes are named by level and index: (0, i) is the leaf of entry i, (level, i) covers the 2**level entries
from i * 2**level on. A node whose entries are all there never changes again. The node of entries that are
not all there yet is made of those when it is asked for, in O(log n).
"""

import hashlib
from collections.abc import Callable

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
