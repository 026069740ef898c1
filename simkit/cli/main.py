"""Where the `simkit` command starts."""

import sys


def main() -> None:
    """Run the command line."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            # A terminal or file without Å in its encoding still gets the text, escaped.
            stream.reconfigure(errors="backslashreplace")
    try:
        # Imported here so that not even an interruption while modules load shows a traceback.
        from simkit.cli.app import app

        app()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
