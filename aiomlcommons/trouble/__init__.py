"""Classification of errors (the trouble table): whether a retry helps, and who caused them."""
