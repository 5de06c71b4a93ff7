"""``python -m dynamolab``: what ``./lab`` hands over to."""

import sys

from dynamolab.cli import main

sys.exit(main(sys.argv[1:]))
