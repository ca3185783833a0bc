"""Progress of calls that take long: events for callbacks, and the displays of terminals, notebooks and log files."""
