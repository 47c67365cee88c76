"""The language server: findings as one types, fixes and pages of the rules at hand."""
