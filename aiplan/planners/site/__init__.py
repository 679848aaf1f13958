"""`aiplan site`: megawatts at a place to GPUs, tokens, energy, water and carbon."""
