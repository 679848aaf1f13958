"""Tests of aiplan.uncertainty."""
