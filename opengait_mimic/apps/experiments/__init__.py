"""Recipes, tables, the demo."""
