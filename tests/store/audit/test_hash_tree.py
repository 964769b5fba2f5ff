import hashlib

import pytest

from camlucida.store.audit import hash_tree


def mth(entries):
    """RFC 6962, 2.1, as it is written there."""
    if not entries:
        return hashlib.sha256(b"").digest()
    if len(entries) == 1:
        return hashlib.sha256(b"\x00" + entries[0]).digest()
    k = largest_power_below(len(entries))
    return hashlib.sha256(b"\x01" + mth(entries[:k]) + mth(entries[k:])).digest()


def path(m, entries):
    """RFC 6962, 2.1.1: PATH(m, D[n])."""
    if len(entries) == 1:
        return []
    k = largest_power_below(len(entries))
    if m < k:
        return [*path(m, entries[:k]), mth(entries[k:])]
    return [*path(m - k, entries[k:]), mth(entries[:k])]


def largest_power_below(n):
    k = 1
    while 2 * k < n:
        k *= 2
    return k


ENTRIES = [f"entry {n}".encode() for n in range(33)]


@pytest.fixture(scope="module")
def node():
    """The nodes of a tree of all entries, each from when its last entry came."""
    kept = {}

    def of(level, index):
        return kept[level, index]

    for index, entry in enumerate(ENTRIES):
        for level, made in enumerate(hash_tree.completed(index, hash_tree.leaf(entry), of)):
            assert hash_tree.last_entry(level, index >> level) == index
            kept[level, index >> level] = made
    return of


def test_the_example_of_certificate_transparency():
    """The tree of the known-answer test that implementations of RFC 6962 share."""
    contents = [
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    ]
    kept = {}
    for index, text in enumerate(contents):
        leaf = hash_tree.leaf(bytes.fromhex(text))
        for level, made in enumerate(hash_tree.completed(index, leaf, lambda *one: kept[one])):
            kept[level, index >> level] = made
    root = hash_tree.root(8, lambda *one: kept[one])
    assert root.hex() == "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"


def test_roots_are_those_of_the_rfc(node):
    for size in range(len(ENTRIES) + 1):
        assert hash_tree.root(size, node) == mth(ENTRIES[:size])


def test_inclusion_proofs_are_those_of_the_rfc(node):
    for size in range(1, len(ENTRIES) + 1):
        for index in range(size):
            assert hash_tree.inclusion(index, size, node) == path(index, ENTRIES[:size])
