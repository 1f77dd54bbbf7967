"""Widgets of the console: a live table, a line chart, a one-line spark; they know nothing about queues."""
