"""Bridges to other libraries. Each module needs its extra, and nothing else imports it."""
