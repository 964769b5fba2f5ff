"""`python -m camlucida.cli` is `camlucida`."""

from camlucida.cli import main

main()
