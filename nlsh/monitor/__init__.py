"""What a running nlsh notes about the machine while it runs: how it has gone over the last minutes."""
