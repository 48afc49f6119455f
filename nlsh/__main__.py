"""`python -m nlsh` is `nlsh`."""

try:
    from nlsh.cli import main

    status = main()
except KeyboardInterrupt:  # before there is anybody to hear it
    status = 130
raise SystemExit(status)
