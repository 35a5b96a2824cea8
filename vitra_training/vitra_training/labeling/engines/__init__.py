"""Running stages over many clips: ledger, isolation, local and cluster execution."""
