"""Local model files: validation, packing into a zip file, and reading Hugging Face configurations."""
