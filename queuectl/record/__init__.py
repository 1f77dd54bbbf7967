"""Recordings of a deployment, second by second: written while it runs, played back and reported on afterwards."""
