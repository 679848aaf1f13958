"""Time and power of a model-shaped stack of layers, measured on the accelerator at hand."""
