"""The version of the application: the one in the changelog."""

VERSION = "0.1.0"
