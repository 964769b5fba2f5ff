"""`camlucida …`: one file per command, imported only when that command is called."""


def main() -> None:
    """Run the command line; the entry point of the package."""
    from camlucida.cli.commands import app  # noqa: PLC0415 - `import camlucida.cli` stays free of typer

    app()
