"""What builds the site: pages that are written from the package, and the check of the built pages."""
