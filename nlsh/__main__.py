"""`python -m nlsh` is `nlsh`."""

from nlsh.cli import main

raise SystemExit(main())
