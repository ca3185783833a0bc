"""Hostile answers: what a server may send to harm its client, tried many times with the memory that it takes."""
