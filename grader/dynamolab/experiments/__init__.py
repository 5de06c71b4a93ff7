"""What ``./lab experiment NAME`` runs: a module each, with ``main(argv) -> exit code``."""
