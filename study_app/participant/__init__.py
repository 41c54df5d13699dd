"""What participants meet: pages, trials, allocation, withdrawal."""
