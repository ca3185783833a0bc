"""Connectors, and the remote models behind them."""
