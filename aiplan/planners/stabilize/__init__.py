"""Will the grid accept a training job, and what is the cheapest way to make it."""
