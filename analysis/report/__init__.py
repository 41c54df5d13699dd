"""The report: its command, its page and its texts."""
