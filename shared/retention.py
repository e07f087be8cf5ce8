"""How long rows are kept: one table of ages, one daily sweep."""
