"""Models: registered, deployed, asked, trained."""
