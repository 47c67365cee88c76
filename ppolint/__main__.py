"""`python -m ppolint` is the `ppolint` command."""

from ppolint.cli import main

if __name__ == "__main__":
    main()
