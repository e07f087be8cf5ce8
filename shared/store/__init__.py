"""Thin, typed access to Table Storage, Queue Storage and Key Vault."""
