"""`python -m snnlib` is `snnlib`."""

from snnlib.cli import main

if __name__ == "__main__":
    main()
