"""Cooling: weather, systems, and what they cost in energy and water."""
