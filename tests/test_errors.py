from camlucida import errors

TREE = errors.__doc__ or ""


def drawn():
    """Each error of the tree that is drawn, with the one that it hangs on."""
    above, found = {}, {}
    for line in TREE.splitlines():
        words = line.lstrip(" │├└─").split()
        if "──" in line or line.strip() == "CamlucidaError":
            depth = line.index(words[0])
            above[depth] = words[0]
            found[words[0]] = max((one for one in above.items() if one[0] < depth), default=(0, "Exception"))[
                1
            ]
    return found


def test_the_tree_is_that_of_the_classes():
    classes = [one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, Exception)]
    assert drawn() == {one.__name__: one.__base__.__name__ for one in classes}


def test_each_error_has_a_sentence_of_its_own():
    for name in drawn():
        said = str(getattr(errors, name)())
        assert said.endswith("."), name
        assert said != str(errors.CamlucidaError()) or name == "CamlucidaError"
