"""`python -m ppolint` is the `ppolint` command."""

from ppolint.cli.entry import run

if __name__ == "__main__":
    run()
