"""Running rules over files: screen, analyse one file, run many, apply fixes."""
