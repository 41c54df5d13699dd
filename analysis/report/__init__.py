"""The report: its page, its words and its command."""
