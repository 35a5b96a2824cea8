"""The subcommands of `vitra-eval`."""
