"""The participants' side: entry, pages, trials, allocation, withdrawal."""
