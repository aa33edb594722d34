"""What a person should look at before a feature is believed: measured on the examples, found, acknowledged."""
