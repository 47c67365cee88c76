"""What a project asks of ppolint: its configuration, its files and the release it targets."""
