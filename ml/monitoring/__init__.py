"""What came true of what was predicted."""
