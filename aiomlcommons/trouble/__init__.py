"""What an error says, and what helps against it: a table of trouble with the words it is known by."""
