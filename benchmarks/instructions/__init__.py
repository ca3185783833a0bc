"""``make bench-check``: instruction counts of what is done most, compared with those of a baseline, under valgrind."""
