"""A server that replays prebuilt responses, in its own process, so that only the client's costs are measured."""
