"""Model files on this disk: checked, packed into an archive, described by what Hugging Face wrote beside them."""
