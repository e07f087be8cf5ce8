"""Alerts: what health events open and close, and telling the sinks."""
