"""Speed and memory as ratios against a limit or a rival, and checks on trial; each module is a command."""
