"""The door out: a finished ``Report`` and one module per format, each imported only when it is asked for."""
