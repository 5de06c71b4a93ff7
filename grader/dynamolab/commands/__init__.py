"""One module a command: ``add(parser)`` says what it takes, ``run(arguments)`` does it."""
