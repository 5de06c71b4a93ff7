"""``python -m dynamolab``: what ``./lab`` hands over to."""

import _signal  # Built in, so that nothing has to be loaded first.
import sys

# A Ctrl-C while the modules below are loaded ends us without a traceback; main() takes it from there.
_signal.signal(_signal.SIGINT, _signal.SIG_DFL)

from dynamolab.cli import main  # noqa: E402

sys.exit(main(sys.argv[1:]))
