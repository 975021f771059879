"""Bet9ja: its protocol (what to ask) and its parser (how to read one event)."""
