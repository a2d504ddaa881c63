"""The only package that talks to the server."""
