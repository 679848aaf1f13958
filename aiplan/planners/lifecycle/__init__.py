"""Lifecycle: build, refresh and operate a datacenter over many years; what it costs, and the least it could."""
