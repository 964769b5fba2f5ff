import pytest

from camlucida.rendering.header import shown_type


@pytest.mark.parametrize(
    ("kept", "shown"), [("uint16", "uint16"), ("int8", "int16"), ("int32", "float32"), ("float64", "float32")]
)
def test_the_viewer_gets_a_type_that_it_takes(kept, shown):
    assert shown_type(kept) == shown
