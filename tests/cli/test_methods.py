from typer.testing import CliRunner

from camlucida.cli.commands import app
from camlucida.saliency.methods import METHODS


def test_every_method_is_listed_with_its_paper():
    said = " ".join(CliRunner().invoke(app, ["methods"], env={"COLUMNS": "250"}).stdout.split())
    for key, method in METHODS.items():
        assert f"{key} {method.paper}" in said
        assert method.passes in said
