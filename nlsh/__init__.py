"""nlsh: a shell that you talk to.

This package file stays empty of imports on purpose: `nlsh --version` and every one-shot start here.
"""

__version__ = "0.1.0"
